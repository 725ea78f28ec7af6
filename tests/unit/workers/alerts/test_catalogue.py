"""The kinds of alerts, and the runbook that has a section for each."""

import re
from datetime import UTC, datetime

import pytest

from schemas.alerts import AlertRecord, decode_alert, encode_alert
from tests.conftest import ROOT
from workers.alerts.catalogue import KINDS

# Behind the kinds are the rules of Prometheus, which tests/unit/deploy/ looks at.
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text().partition("\n## Alerts of Prometheus\n")[0]


def test_every_kind_has_its_section_and_every_section_its_kind() -> None:
    """What alerts link to is there, and the runbook speaks of nothing that is never told."""
    assert re.findall(r"^## (.*)$", RUNBOOK, re.MULTILINE) == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_section_says_what_it_takes(kind: str) -> None:
    """What it means, how to see it, what to do, when it is over; how bad it is and for whom, as in the catalogue."""
    section = RUNBOOK.partition(f"\n## {kind}\n")[2].partition("\n## ")[0]
    for heading in ("**Means.**", "**See.**", "**Do.**", "**Over**"):
        assert heading in section
    audience = {"oncall": "on-call staff", "data": "data scientists"}[KINDS[kind].audience]
    assert section.lstrip().startswith(f"{KINDS[kind].severity.capitalize()}, for {audience}.")


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_alert_of_a_kind_is_valid(kind: object) -> None:
    """What the catalogue makes can be read back from the log, and `look_at` ends no sentence."""
    alert = KINDS[getattr(kind, "name")].alert("It is wrong.", since=datetime(2026, 7, 1, tzinfo=UTC), about="a")  # noqa: B009
    record = AlertRecord(alert=alert, state="raised", at=alert.since)
    assert decode_alert(encode_alert(record)) == record
    assert alert.subject == f"{alert.kind}/a"
    assert not alert.look_at.endswith(".")
