"""How good the scores are: which version is judged, and what is told."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from model.reference import FeatureReference, Reference
from schemas.cloudevents import to_ms
from schemas.status import Shift
from schemas.telemetry import SCORE_EDGES, ModelCounts, Telemetry
from tests.unit.workers.monitoring.clock import START
from workers.monitoring import quality
from workers.monitoring.hours import HourTotals, add
from workers.monitoring.pairs import WITHOUT_SCORE, Pair, encode

DAY = timedelta(days=1)
SPAN = timedelta(hours=24)


def pairs(version: str, *, probability: float, leavers: int, count: int = 2000, age: timedelta = DAY) -> list[bytes]:
    """So many pairs of a version, judged so long ago, of whom some left."""
    at_ms = to_ms(START - age)
    return [
        encode(Pair(probability, number < leavers, False, at_ms, to_ms(START), version, ()))
        for number in range(count)
    ]  # fmt: skip


def test_without_outcomes_there_is_nothing_to_say() -> None:
    """But how many had no score."""
    assert quality.outcomes([], START) == quality.Outcomes()
    assert quality.outcomes([WITHOUT_SCORE] * 3, START) == quality.Outcomes(without_score=3)


def test_calibration_is_judged_of_the_version_that_was_judged_last() -> None:
    """An older one that was off is history; scores of 4.0% where 2.4% leave are told."""
    old = pairs("old", probability=0.5, leavers=10, age=2 * DAY)
    good = quality.outcomes([*old, *pairs("new", probability=0.04, leavers=80)], START)
    assert not good.alerts
    assert {point.version for point in good.calibration} == {"old", "new"}
    assert good.joined == 4000
    bad = quality.outcomes([*old, *pairs("new", probability=0.04, leavers=120, count=5000)], START)
    (alert,) = bad.alerts
    assert (alert.kind, alert.about, alert.since) == ("calibration-drift", "new", START - DAY)
    assert alert.summary == "scores said 4.0%, 2.4% of 5000 customers left"


def hours(version: str, counts: Sequence[int], *, ago: timedelta = timedelta(0)) -> dict[str, HourTotals]:
    """One hour, in which a version saw its one feature so often in each bin."""
    began = (START - ago).replace(minute=0)
    scores = [0] * len(SCORE_EDGES) + [sum(counts)]
    summary = Telemetry(
        process="p", kind="score", began=began, ended=began + timedelta(seconds=5),
        models={version: ModelCounts(scores, {}, {"tenure": list(counts)})},
    )  # fmt: skip
    return {began.isoformat(): add(HourTotals(), summary, 0)}


REFERENCE = Reference({"tenure": FeatureReference([1.0, 2.0], [1000, 1000, 1000, 0])})


def test_window_is_that_of_the_version_that_answered_last() -> None:
    """Compared with what it was trained on; hours before the window do not count."""
    both = {
        **hours("old", [3000, 0, 0, 0], ago=timedelta(hours=2)), **hours("new", [0, 0, 3000, 0]),
        **hours("new", [9000, 9000, 9000, 0], ago=2 * DAY),
    }  # fmt: skip
    found = quality.window(both, START, SPAN, {"new": REFERENCE}.get, 0.2)
    assert found.start == START.replace(minute=0) - timedelta(hours=2)
    (shift,) = found.shifts
    assert (shift.name, shift.records, shift.drifted) == ("tenure", 3000, True)
    (alert,) = found.alerts
    assert (alert.kind, alert.about) == ("feature-drift", "new")
    assert alert.summary.startswith("the data has shifted against the training data: tenure (PSI ")
    assert alert.summary.endswith("); 3000 records")
    same = quality.window(hours("new", [1000, 1000, 1000, 0]), START, SPAN, {"new": REFERENCE}.get, 0.2)
    assert not same.alerts


def test_window_that_cannot_be_judged() -> None:
    """Nobody answered, or the version's folder is not here."""
    assert quality.window({}, START, SPAN, lambda _: None, 0.2) == quality.Window()
    found = quality.window(hours("new", [1, 1, 1]), START, SPAN, lambda _: None, 0.2)
    assert (found.start, found.shifts, found.alerts) == (START.replace(minute=0), (), ())


@pytest.mark.parametrize(("count", "more"), [(5, ""), (7, " and 2 more")])
def test_alert_names_the_largest_shifts(count: int, more: str) -> None:
    """Five of them, the largest first, and how many more there are."""
    drifted = [Shift(f"f{n}", [], [], [], 100, n / 10, 0.0, drifted=True) for n in range(count)]
    (alert,) = quality._drift_alerts("v", drifted, START)
    names = ", ".join(f"f{n} (PSI {n / 10:.2f})" for n in range(count - 1, count - 6, -1))
    assert alert.summary == f"the data has shifted against the training data: {names}{more}; 100 records"


def test_versions_and_what_is_expected_of_them() -> None:
    """The last first; expected of the hours of the window alone."""
    both = {**hours("old", [5, 0, 0], ago=2 * DAY), **hours("new", [0, 0, 7])}
    assert [(model.version, model.scored) for model in quality.models(both)] == [("new", 7), ("old", 5)]
    assert [expected.version for expected in quality.expectations(both, START, SPAN)] == ["new"]
