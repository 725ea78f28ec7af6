"""The page on the HTTP API as it is written: its `sh` blocks, in order, in one shell."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from churn.stack.ports import free_port
from churn.stack.redis import LocalRedis
from model.artifact import save
from model.fold import event_ms, fold
from model.state import CustomerState
from tests.conftest import ROOT
from tests.integration.api import write_states
from tests.integration.api_fixtures import api_redis
from tests.integration.test_scoring import made_up_events
from tests.integration.test_tutorial import commands, environment_of
from tests.unit.model.test_training import ARTIFACT
from workers.api.problems import KINDS

__all__ = ["api_redis", "commands"]  # fixtures that are used here too

PAGE = ROOT / "docs" / "how-to" / "ask-over-http.md"
END = "trap 'status=$?; kill $(jobs -p) 2>/dev/null || :; wait; exit $status' EXIT\n"


def test_every_command_works_in_order(api_redis: LocalRedis, commands: Path, tmp_path: Path) -> None:
    """Nothing fails, and what the page says comes out."""
    state = CustomerState.new()
    for event in made_up_events(customers=1, each=6):
        fold(state, event, event_ms(event))
    write_states(api_redis.url, {"1234": state})
    save(ARTIFACT, tmp_path / "models")
    address = f"127.0.0.1:{free_port()}"
    environment = environment_of(commands) | {
        "REDIS_URL": api_redis.url,
        "CHURN_MODELS": str(tmp_path / "models"),
        "CHURN_API_PORT": address.rpartition(":")[2],
        "CHURN_API_URL": f"http://{address}",
    }
    blocks: list[str] = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    script = "\necho\n".join([END, *blocks]).replace("127.0.0.1:8000", address)
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}\n{(tmp_path / 'api.log').read_text()}"
    answers = [json.loads(line) for line in re.findall(r"^\{.*?\}$", ended.stdout, re.MULTILINE)]
    ready, now, then, stated, known, features, wrong, why, problem = answers
    assert ready == {"status": "ok"}
    assert (now["status"], then["as_of"]) == ("scored", "2030-01-01T00:00:00Z")
    assert stated["features"]["spend"] == {"value": 1257.0, "age_s": None, "freshness": "fresh"}
    assert known["score"]["probability"] == pytest.approx(now["probability"])  # moments later
    assert features["score"]["status"] == "scored"
    assert wrong["problem"]["status"] == 422
    assert why["score"]["status"] == "scored"
    (shown,) = re.findall(r"^```json\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert problem | {"request_id": ""} == json.loads(shown) | {"request_id": ""}
    assert ended.stdout.count("customer 1234 as of ") == 2
    assert "stated features as of " in ended.stdout


def test_every_problem_is_on_the_page() -> None:
    """The table has each status and kind of problem."""
    text = PAGE.read_text()
    for kind, (status, _) in KINDS.items():
        (row,) = [line for line in text.splitlines() if line.startswith("|") and f"`{kind}`" in line]
        assert str(status) in row
