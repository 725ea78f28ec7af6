"""The table of faults, what was done of each and what came of it: docs/reference/faults.md is made from it."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).with_name("results.json")
CONTROL = Path(__file__).with_name("control.json")
SOAK = Path(__file__).with_name("soak.json")
PAGE = ROOT / "docs" / "reference" / "faults.md"

ROWS = {
    1: "a worker is killed at random, in mid-batch",
    2: "a worker is killed just before or after each step of a transaction and of the write to Redis",
    3: "a worker is asked to stop under load",
    4: "a worker is asked to stop while Kafka is down",
    5: "the broker is restarted, then killed",
    6: "one of three brokers is killed: a leader, a transaction coordinator",
    7: "the broker is paused",
    8: "a worker is paused until its partitions are another's, then continued",
    9: "two workers have one transactional id",
    10: "a worker joins or leaves every 2 s",
    11: "a batch takes longer than the group allows",
    12: "the network is parted, slow and lossy, reset during a commit",
    13: "a worker dies for good with a transaction open",
    14: "Redis is killed, paused, slow, full, flushed, or holds a wrong type",
    15: "a disk is full",
    16: "records that are no events",
    17: "hostile JSON",
    18: "hostile customer ids",
    19: "records at and over the size limit",
    20: "compressed bombs",
    21: "duplicates, late and early events, clocks that are wrong",
    22: "the dead-letter topic may not be written",
    23: "a model that is damaged, forged, or of other features",
    24: "retraining is killed, or gets bad data",
    25: "silence, with several monitors and restarts",
    26: "every worker is dead during a silence",
    27: "a receiver of alerts is slow or fails",
    28: "personal data in errors, logs, metrics, alerts",
    29: "abuse over HTTP",
    30: "TLS and SASL that do not fit",
    31: "hours of work, with a kill every 5 minutes",
}
PENDING = {
    23: "needs the registry and retraining", 24: "needs retraining",
    30: "needs settings for client certificates",
}  # fmt: skip
_TEST = re.compile(r"::test_row_(\d\d)_(\w+)(?:\[(.+)\])?$")


class Result(msgspec.Struct, frozen=True):
    """What one test did; `full` is how often it is repeated in a full run."""

    repetitions: int
    full: int
    seconds: int
    passed: bool
    on: str
    remark: str = ""


class Soaked(msgspec.Struct, frozen=True):
    """What a soak came to: memory is that of the worker that was never killed, its growth that after the first half."""

    on: str
    seconds: int
    events: int
    kills: int
    growth_mb_per_h: float
    minutes: list[float]
    memory_mb: list[float]
    events_per_s: list[float]


_new: dict[str, Result] = {}


def add(report: Any) -> None:
    """Take down what came of a test of a row."""
    if not _TEST.search(report.nodeid):
        return
    said = dict(report.user_properties)
    _new[report.nodeid.partition("::")[2]] = Result(
        said.get("repetitions", 0), said.get("full", 0), round(report.duration), report.passed,
        f"{datetime.now(UTC):%Y-%m-%d}", said.get("remark", ""),
    )  # fmt: skip


def record() -> None:
    """Keep what was taken down beside what was kept before, and make the page."""
    results = dict(sorted((read_results() | _new).items()))
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(results)) + b"\n")
    PAGE.write_text(page(results, read_soak(), read_control()))


def keep_control(results: dict[str, dict[int, str]]) -> None:
    """Keep what became of the events in the loops of others, by loop and row, and make the page."""
    CONTROL.write_bytes(msgspec.json.format(msgspec.json.encode(results)) + b"\n")
    PAGE.write_text(page(read_results(), read_soak(), results))


def read_control() -> dict[str, dict[int, str]]:
    """What was kept of them."""
    return msgspec.json.decode(CONTROL.read_bytes(), type=dict[str, dict[int, str]]) if CONTROL.exists() else {}


def keep_soak(soaked: Soaked) -> None:
    """Keep what a soak came to, and make the page."""
    SOAK.write_bytes(msgspec.json.format(msgspec.json.encode(soaked), indent=0) + b"\n")
    PAGE.write_text(page(read_results(), soaked, read_control()))


def read_soak() -> Soaked | None:
    """The last soak that was exact."""
    return msgspec.json.decode(SOAK.read_bytes(), type=Soaked) if SOAK.exists() else None


def read_results() -> dict[str, Result]:
    """What was kept, by test."""
    return msgspec.json.decode(RESULTS.read_bytes(), type=dict[str, Result]) if RESULTS.exists() else {}


def page(results: dict[str, Result], soaked: Soaked | None, control: dict[str, dict[int, str]]) -> str:
    """The page, in Markdown."""
    by_row: dict[int, list[str]] = {row: [] for row in ROWS}
    for test, result in results.items():
        found = _TEST.search(f"::{test}")
        assert found
        by_row[int(found[1])].append(_line(int(found[1]), f"{found[2]} {found[3] or ''}".strip(), result))
    if soaked:
        by_row[31].append(_soak_line(soaked))
    lines = [line for row, some in by_row.items() for line in some or [f"| {row} | {ROWS[row]} | | | pending |"]]
    pending = [f"- Row {row} ({ROWS[row]}): {why}." for row, why in PENDING.items()]
    return _PAGE.format(
        lines="\n".join(lines),
        pending="\n".join(pending),
        soak=_soak(soaked) if soaked else "",
        control=_others(control) if control else "",
    )


def _others(control: dict[str, dict[int, str]]) -> str:
    lines = [
        f"| {row} | {ROWS[row]} | {loop} | {what} |" for loop, rows in control.items() for row, what in rows.items()
    ]
    return _CONTROL.format(lines="\n".join(lines))


def _soak_line(soaked: Soaked) -> str:
    what = f"{soaked.events:,} events, exact; memory grew by {soaked.growth_mb_per_h} MB/h"
    return f"| 31 | {ROWS[31]} | {soaked.kills} kills | {soaked.seconds:,} s | passed, {soaked.on}; {what} |"


def _soak(soaked: Soaked) -> str:
    charts = [
        _CHART.format(title=title, minutes=round(soaked.minutes[-1]), low=low, high=high, points=points)
        for title, points, low, high in (
            ("Memory of a worker that was never killed, MB", soaked.memory_mb, 0, round(max(soaked.memory_mb) * 1.2)),
            ("Events answered a second", soaked.events_per_s, 0, round(max(soaked.events_per_s) * 1.2)),
        )
    ]
    return _SOAK.format(hours=round(soaked.seconds / 3600, 1), kills=soaked.kills, charts="\n".join(charts))


def _line(row: int, test: str, result: Result) -> str:
    outcome = "passed" if result.passed else "**failed**"
    remark = f"; {result.remark}" if result.remark else ""
    repetitions = f"{result.repetitions} of {result.full}"
    what = f"{ROWS[row]}: {test.replace('_', ' ')}"
    return f"| {row} | {what} | {repetitions} | {result.seconds} s | {outcome}, {result.on}{remark} |"


_PAGE = """# Faults

What was done to the system, and what came of it. This page is written by the tests themselves:

```sh
make test-faults
make test-faults-long
```

The first does each a few times, the second as often as the full count says. A row passes when every one of some
thousand numbered records came out once, in order, with the bytes of a run in which nothing happened, and the states in
Redis are those of that run too, to the byte. Brokers, Redis and workers are processes of the test's own. A test that
fails prints a seed: `--faults-seed` repeats it.

| row | fault | done | time | result |
|---|---|---|---|---|
{lines}

{soak}{control}## Pending
{pending}
"""
_CONTROL = """## The same, done to others
As a control, three of the faults are done to a Faust agent and to a Quix Streams application, each as its documentation
shows it (`make test-faults-control`). Lost is an event that was not answered although the group has gone on behind it.

| row | fault | loop | what became of the events |
|---|---|---|---|
{lines}

"""
_SOAK = """## Soak
`make soak`: three workers at a steady load for {hours} hours; one of two is killed every five minutes ({kills} kills),
the third never. Its memory grows at first: workers keep the sentences of reasons that come again.

{charts}
"""
_CHART = """```mermaid
xychart-beta
    title "{title}"
    x-axis "minutes" 0 --> {minutes}
    y-axis {low} --> {high}
    line {points}
```
"""
