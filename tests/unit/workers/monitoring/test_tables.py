"""The numbers of a status in words and tables."""

from datetime import timedelta

import msgspec
import pytest

from schemas.status import Hour, Interval, Status
from tests.status import AT, NEW, OLD, empty_status, rich_status
from workers.monitoring import parts, tables
from workers.monitoring.summary import sentences, tiles
from workers.monitoring.tables import Cell, Table

RICH = rich_status()


def texts(table: Table) -> list[list[str]]:
    """The words of a table."""
    return [[cell.text for cell in row] for row in table.rows]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "–"), (0.0, "0 ms"), (0.00412, "4.12 ms"), (0.9999, "1,000 ms"), (1.0, "1 s"), (119.0, "119 s"),
        (120.0, "2 minutes"), (7_200.0, "2 hours"), (172_799.0, "48 hours"), (172_800.0, "2 days"),
        (8.64e7, "1,000 days"),
    ],
)  # fmt: skip
def test_times_are_in_their_own_unit(number: float | None, text: str) -> None:
    """Three digits, in the largest unit of which there are two."""
    assert tables.seconds(number) == text


def test_estimates_have_their_interval() -> None:
    """Both ends or none; what cannot be told is a dash, and no number for a chart."""
    assert tables.estimate(Interval(0.9)) == Cell("0.900", 0.9)
    assert tables.estimate(Interval(0.9, 0.8, 1.0)) == Cell("0.900 (0.800 to 1.000)", 0.9, 0.8, 1.0)
    assert tables.estimate(Interval(None)) == Cell("–")
    assert tables.share(0.148, 0.1, 0.2) == Cell("14.8% (10.0 to 20.0)", 0.148, 0.1, 0.2)
    assert tables.share(None) == Cell("–")


def test_hours_have_a_column_for_each_status() -> None:
    """The usual ones first, then what is new; an hour without one has 0 of it."""
    hours = [Hour(AT, {"zeta": 1, "sent-on": 2, "scored": 3}, {"503": 1}), Hour(AT, {"alpha": 4}, {})]
    table = tables.answers(msgspec.structs.replace(RICH, hours=hours))
    assert [column.name for column in table.columns] == ["Hour (UTC)", "scored", "sent-on", "alpha", "zeta"]
    assert texts(table) == [["25 Nov 14:03", "3", "2", "0", "1"], ["25 Nov 14:03", "0", "0", "4", "0"]]
    asked = tables.requests(msgspec.structs.replace(RICH, hours=hours))
    assert texts(asked) == [["25 Nov 14:03", "1"], ["25 Nov 14:03", "0"]]


def test_hours_without_anything_are_no_rows() -> None:
    """So that it is said in words that nothing was answered."""
    silent = msgspec.structs.replace(RICH, hours=[Hour(AT, {}, {})])
    assert (tables.answers(silent).rows, tables.requests(silent).rows) == ([], [])
    assert (sentences(silent)["answers"], sentences(silent)["requests"]) == ("", "")


def test_weeks_and_segments_are_apart() -> None:
    """Weeks of everybody in one table, all weeks by segment in the other."""
    weeks = texts(tables.accuracy(RICH))
    assert [row[0] for row in weeks] == [OLD] * 8 + [NEW] * 5
    assert all(row[1].startswith("2026-W") for row in weeks)
    assert [row[1] for row in texts(tables.segments(RICH))] == ["everybody", "contract", "pay as you go", "under 25"]
    assert texts(tables.segments(RICH))[-1][3:5] == ["–", "–"]


def test_drifted_features_come_first_and_in_words() -> None:
    """The verdict is a word; the score is no feature."""
    rows = texts(tables.drift(RICH))
    assert rows[0][0] == "spend"
    assert [row[4] for row in rows] == ["drifted"] + ["as in training"] * 21
    psi = [row[1].value or 0 for row in tables.drift(RICH).rows[1:]]
    assert psi == sorted(psi, reverse=True)
    assert texts(tables.scores(RICH))[0] == ["under 0.5%", "21.0%", "20.0%"]


def test_freshness_is_in_shares_and_unknown_counts_are_left_out() -> None:
    """The least fresh first; a feature that was never read has no shares and comes last."""
    status = msgspec.structs.replace(
        RICH, freshness={"never": {}, "good": {"fresh": 4}, "call_seconds": {"fresh": 1, "missing": 3}}
    )
    assert texts(tables.freshness(status)) == [
        ["call seconds", "25.0%", "0.0%", "0.0%", "75.0%"],
        ["good", "100.0%", "0.0%", "0.0%", "0.0%"],
        ["never", "–", "–", "–", "–"],
    ]


def test_topics_have_a_verdict() -> None:
    """Quiet for longer than allowed, not, or not known."""
    assert [row[4] for row in texts(parts.topics(RICH))] == ["ok", "too quiet", "not known"]
    assert [row[1] for row in texts(parts.topics(RICH))] == ["25 Nov 14:03", "21 Nov 14:03", "nothing yet"]


def test_processes_say_when_they_were_seen() -> None:
    """A process without a lag or a model has dashes; ages are counted from the status on."""
    process = msgspec.structs.replace(RICH.processes[2], last_seen=AT - timedelta(minutes=5), models=[])
    assert texts(parts.processes(msgspec.structs.replace(RICH, processes=[process]))) == [
        ["api-edge-1", "api", "5 minutes ago", "–", "0", "–"]
    ]


def test_alerts_say_what_and_where() -> None:
    """Open ones and recent ones, each with its state."""
    assert [row[1:3] for row in texts(parts.open_alerts(RICH))] == [["raised", "warning"]]
    assert [row[1:3] for row in texts(parts.recent_alerts(RICH))] == [["raised", "warning"], ["cleared", "critical"]]


EVERY = [
    tables.answers, tables.requests, tables.scores, tables.accuracy, tables.segments, tables.expected,
    tables.calibration, tables.drift, tables.freshness, tables.errors, tables.problems, parts.processes, parts.topics,
    parts.models, parts.open_alerts, parts.recent_alerts,
]  # fmt: skip


def test_nothing_yet_is_said_in_words() -> None:
    """Each table without rows has a sentence, and no chart has one; full ones have as many cells as columns."""
    empty = empty_status()
    for make in EVERY:
        assert not make(empty).rows
        assert make(empty).empty.endswith(".")
        full = make(RICH)
        assert full.rows
        assert all(len(row) == len(full.columns) for row in full.rows)
    assert not any(sentences(empty).values())
    assert all(sentences(RICH).values())


def tile(status: Status, name: str) -> tuple[str, str]:
    """The value and the note of a tile."""
    (found,) = [tile for tile in tiles(status) if tile.id == name]
    return found.value, found.note


def test_tiles_are_of_the_last_24_hours() -> None:
    """An hour that began before is left out; without an answer nothing is divided by none."""
    hours = [
        Hour(AT - timedelta(hours=24), {"scored": 1000}, {}),
        Hour(AT - timedelta(hours=23), {"scored": 30, "could-not-compute": 10}, {}),
    ]
    status = msgspec.structs.replace(RICH, hours=hours)
    assert tile(status, "answered") == ("40", "in the last 24 hours")
    assert tile(status, "failed") == ("10", "25.0% of the answers")
    assert tile(RICH, "latency") == ("82.3 ms", "p99; half within 14.6 ms")
    assert tile(RICH, "outcomes") == ("9,530", "118 without a score")
    assert tile(empty_status(), "failed") == ("0", "no answers yet")
    assert tile(empty_status(), "latency") == ("–", "no answers yet")
    assert tile(empty_status(), "lag")[0] == "–"


def test_sentences_say_what_the_charts_show() -> None:
    """The busiest hour, the newest week, what has drifted, how much was fresh."""
    said = sentences(RICH)
    assert said["drift"] == "1 of 22 features drifted: spend."
    assert said["scores"].startswith("They are like those of training: PSI 0.004 over")
    assert said["accuracy"].startswith(f"Week 2026-W47, version {NEW}, ")
    calm = [msgspec.structs.replace(shift, drifted=shift.name == "score") for shift in RICH.shifts[:2]]
    said = sentences(msgspec.structs.replace(RICH, shifts=calm))
    assert said["drift"] == "None of 1 feature has drifted."
    assert said["scores"].startswith("They have drifted from those of training")
    one_class = [msgspec.structs.replace(RICH.measured[0], roc_auc=Interval(None))]
    assert "ROC AUC cannot be told yet" in sentences(msgspec.structs.replace(RICH, measured=one_class))["accuracy"]
