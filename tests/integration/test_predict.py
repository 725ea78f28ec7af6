"""`churn predict` against a real `churn api`: what it prints, and one clear line for what the user can mend."""

import json
from typing import Any

import pytest

from tests.conftest import Churn
from tests.integration.api import ApiProcess
from tests.integration.api_fixtures import StartApi, api, api_redis, start_api
from tests.integration.test_commands import NOWHERE, refused
from workers.api.keys import new_key

__all__ = ["api", "api_redis", "start_api"]  # fixtures that are used here too

URL = "CHURN_API_URL"
LATER = "2026-07-30"


def test_answer_is_readable(churn: Churn, api: ApiProcess) -> None:
    """The probability, what to do, the reasons, each feature with age and freshness; with --explain each one's part."""
    there = {URL: api.url}
    found = churn("predict", "c7", "--at", LATER, environment=there)
    assert found.returncode == 0, found
    answer = json.loads(churn("predict", "c7", "--at", LATER, "--json", environment=there).stdout)
    first, second, *rest = found.stdout.splitlines()
    assert first == f"customer c7 as of {LATER} 00:00:00 UTC, by model {answer['model']['version']}"
    assert second == f"leaves {answer['probability']:.1%}   band {answer['band']}   action {answer['action']}"
    assert rest[0] == f"  {answer['reasons'][0]['contribution']:+.1f}  {answer['reasons'][0]['text']}"
    words = " ".join(found.stdout.split())
    assert "│ tenure │ 0.985626 │ months │ 30.0 days │ fresh │" in words
    assert "│ complaints │ 0 │ events │ │ default │" in words
    explained = churn("predict", "c7", "--at", LATER, "--explain", environment=there)
    assert explained.returncode == 0, explained
    explanation = json.loads(churn("predict", "c7", "--at", LATER, "--explain", "--json", environment=there).stdout)
    assert f"baseline {explanation['baseline']:+.2f} and parts" in explained.stdout
    assert all(f"│ {part['contribution']:+.2f} │" in explained.stdout for part in explanation["parts"])
    for change in explanation["changes"]:
        assert f"{change['band']} if {change['feature']} were {change['needed']:,.4g} and not" in explained.stdout
    features = {name: cell["value"] for name, cell in answer["features"].items()}
    stated = churn("predict", "--features", json.dumps(features), environment=there)
    assert stated.returncode == 0, stated
    assert stated.stdout.startswith("stated features as of ")
    assert stated.stdout.splitlines()[1] == second
    assert "to be wary of: " not in stated.stdout
    some = churn("predict", "--features", '{"tenure": 1.7}', environment=there)
    assert "to be wary of: spend, " in some.stdout


def test_what_could_not_be_computed_is_an_answer(churn: Churn, api: ApiProcess) -> None:
    """Of a stranger, it says that nothing is known, and ends well."""
    found = churn("predict", "c99", environment={URL: api.url})
    assert found.returncode == 0, found
    assert "could not be computed: unknown-customer: no customer.registered event" in found.stdout
    assert "│ tenure │ │ months │ │ missing │" in " ".join(found.stdout.split())
    explained = churn("predict", "c99", "--explain", environment={URL: api.url})
    assert explained.returncode == 0, explained


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--", "-1"], 'customer is "-1"; expected 1 to 64 letters, digits'),
        (["c7", "--at", "1970-01-01"], "The customer's features are of a later moment: at is 1970-01-01T00:00:00"),
        (["--features", '{"tenor": 1.7}'], "$.tenor is not known here"),
    ],
)
def test_refusal_is_one_line(churn: Churn, api: ApiProcess, arguments: list[str], message: str) -> None:
    """What the API does not answer is one line that names field, value and what was expected."""
    assert refused(churn("predict", *arguments, environment={URL: api.url})).startswith(message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["c7"],
            f"CHURN_API_URL: http://{NOWHERE}: [Errno 111] Connection refused; if no API runs, start it with `churn",
        ),
        ([], "expected CUSTOMER, with --at or --explain if need be; or --features"),
        (["c7", "--features", "{}"], "expected CUSTOMER, with"),
        (["--features", "{}", "--explain"], "expected CUSTOMER, with"),
        (["--features", "{"], "--features: Input data was truncated; expected for instance {"),
        (["--features", "[]"], "--features: Expected `object`, got `array`; expected for instance {"),
        (["c7", "--at", "soon"], "Invalid value for '--at': 'soon' is no time"),
        (["c7", "--at", "9999-12-31T23:59:59-10:00"], "--at is not within the years 1 to 9999"),
    ],
)
def test_what_is_not_even_sent_is_one_line(churn: Churn, arguments: list[str], message: str) -> None:
    """What cannot be asked, and that nobody is there, is told in one line with what was expected."""
    assert refused(churn("predict", *arguments, environment={URL: f"http://{NOWHERE}"})).startswith(message)


def test_key_is_named_and_not_shown(churn: Churn, start_api: StartApi) -> None:
    """A key that is missing, wrong, of another scope or none at all is named by its setting; it is never printed."""
    key, line = new_key("crm", ["predict"])
    there: dict[str, Any] = {URL: start_api(CHURN_API_KEYS=line).url}
    assert refused(churn("predict", "c7", environment=there)).startswith("CHURN_API_KEY: A key is needed: expected")
    there |= {"CHURN_API_KEY": key}
    assert churn("predict", "c7", environment=there).returncode == 0
    assert refused(churn("predict", "c7", "--explain", environment=there)) == (
        "CHURN_API_KEY: The key is not allowed to do this: the key of crm has no scope explain"
    )
    two_words = refused(churn("predict", "c7", environment=there | {"CHURN_API_KEY": f"{key} x"}))
    assert two_words.startswith("CHURN_API_URL, CHURN_API_KEY: the key cannot be sent")
    assert key not in two_words
