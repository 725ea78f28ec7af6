"""How good the scores are: what is told of drift and calibration, and of which version."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import pytest

from model.reference import FeatureReference, Reference
from schemas.cloudevents import to_ms
from schemas.status import ModelStatus
from schemas.telemetry import SCORE_EDGES, ModelCounts
from tests.unit.workers.monitoring.clock import START
from workers.monitoring.hours import HourTotals, Seen
from workers.monitoring.pairs import WITHOUT_SCORE, Pair, encode
from workers.monitoring.quality import Outcomes, Window, expectations, models, outcomes, window

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
TRAINED, SHIFTED = [500, 500, 0], [100, 900, 0]
UNLIKE = [0] * 10 + [1000] + [0] * (len(SCORE_EDGES) - 10)


def kept(
    version: str, *, leavers: int, pairs: int = 1000, said: float = 0.1, days_ago: float = 40, known_days_ago: float = 1
) -> list[bytes]:
    """What is kept of outcomes of a version; the moments judged are an hour apart, up to so many days ago."""
    judged_ms, known_ms = to_ms(START - days_ago * DAY), to_ms(START - known_days_ago * DAY)
    return [
        encode(Pair(said, n < leavers, acted=False, judged_ms=judged_ms - n * 3_600_000, outcome_ms=known_ms,
                    version=version, segments=()))
        for n in range(pairs)
    ]  # fmt: skip


def hour(
    features: Mapping[str, Sequence[int]], *, version: str = "v1", scores: Sequence[int] = (), minutes: int = 60
) -> HourTotals:
    """An hour of START's day in which a version answered until START, less the minutes."""
    ended = START - timedelta(minutes=minutes)
    counts = ModelCounts([*scores], {}, {name: [*bins] for name, bins in features.items()})
    return HourTotals(models={version: counts}, seen={version: Seen(ended - timedelta(seconds=5), ended)})


def at(moment: datetime, one: HourTotals) -> dict[str, HourTotals]:
    """The hour by its beginning."""
    return {moment.isoformat(): one}


def trained_on(*names: str, scores: Sequence[int] = ()) -> Reference:
    """Features of which half of the values were below 1."""
    return Reference({name: FeatureReference([1.0], TRAINED) for name in names}, [*scores])


BEGINNING = START - timedelta(minutes=90)  # of an hour that is within a day


def test_without_outcomes_nothing_is_measured() -> None:
    """Nor with those of customers without a score only, which are counted."""
    assert outcomes([], START) == Outcomes()
    assert outcomes([WITHOUT_SCORE, WITHOUT_SCORE], START) == Outcomes(without_score=2)


def test_outcome_that_is_dated_ahead_is_not_mature() -> None:
    """It counts from its time on."""
    ahead = kept("v1", leavers=10, pairs=100, known_days_ago=-1)
    assert outcomes(ahead, START + DAY - timedelta(milliseconds=1)) == Outcomes()
    assert outcomes(ahead, START + DAY).joined == 100


def test_outcomes_of_each_version_are_measured() -> None:
    """Metrics and points of the diagram are of one version each; all pairs and all customers without score count."""
    found = outcomes([*kept("v2", leavers=30, pairs=300), WITHOUT_SCORE, *kept("v1", leavers=20, pairs=200)], START)
    assert (found.joined, found.without_score) == (500, 1)
    whole = [(one.version, one.pairs, one.leavers) for one in found.measured if not (one.week or one.segment)]
    assert whole == [("v1", 200, 20), ("v2", 300, 30)]
    assert [(point.version, point.pairs) for point in found.calibration] == [("v1", 200), ("v2", 300)]
    assert found.alerts == []


def test_scores_that_are_not_what_happens_are_told() -> None:
    """One alert about the version, with both shares, since the first moment judged."""
    (alert,) = outcomes(kept("v1", leavers=250), START).alerts
    assert (alert.kind, alert.about) == ("calibration-drift", "v1")
    assert alert.summary == "scores said 10.0%, 25.0% of 1000 customers left"
    assert alert.since == START - 40 * DAY - 999 * HOUR


@pytest.mark.parametrize(("off", "right"), [("v1", "v2"), ("v2", "v1")])
def test_only_the_version_that_was_judged_last_is_told_of(off: str, right: str) -> None:
    """Not the one that was in service before, by whatever name, however many more outcomes it has."""
    replaced = kept(off, leavers=1500, pairs=4000, days_ago=41)
    assert outcomes([*replaced, *kept(right, leavers=100)], START).alerts == []
    assert outcomes([*kept(right, leavers=100), *replaced], START).alerts == []
    in_service = kept(off, leavers=250, days_ago=39)
    (alert,) = outcomes([*in_service, *kept(right, leavers=100)], START).alerts
    assert alert.about == off


def test_no_window_without_answers() -> None:
    """Neither where nothing is known nor where nobody answered; the reference is not asked for."""

    def references(_: str) -> Reference:
        raise AssertionError

    assert window({}, START, DAY, references, 0.2) == Window()
    assert window(at(BEGINNING, HourTotals(counts={"dead-letter": 3})), START, DAY, references, 0.2) == Window()
    old = at(START - DAY - HOUR, hour({"spend": SHIFTED}))  # it ended a day ago
    assert window(old, START, DAY, references, 0.2) == Window()
    assert window(at(START - DAY - HOUR + timedelta(seconds=1), hour({})), START, DAY, lambda _: None, 0.2) != Window()


def test_version_without_a_reference_is_not_compared() -> None:
    """It is known since when it might have been."""
    found = window(at(BEGINNING, hour({"spend": SHIFTED})), START, DAY, lambda _: None, 0.2)
    assert found == Window(BEGINNING)


def test_features_as_in_training_are_not_told() -> None:
    """They are shown."""
    found = window(at(BEGINNING, hour({"spend": TRAINED})), START, DAY, lambda _: trained_on("spend"), 0.2)
    assert [(shift.name, shift.drifted) for shift in found.shifts] == [("spend", False)]
    assert (found.start, found.alerts) == (BEGINNING, [])


def test_shifted_feature_is_told() -> None:
    """With its index and the records, about the version, since the beginning of the window; the limit is kept to."""
    hours = at(BEGINNING, hour({"spend": SHIFTED})) | at(BEGINNING + HOUR, hour({"spend": SHIFTED}))
    found = window(hours, START, DAY, lambda _: trained_on("spend"), 0.2)
    (alert,), (shift,) = found.alerts, found.shifts
    assert (alert.kind, alert.about, alert.since) == ("feature-drift", "v1", BEGINNING)
    index = f"spend (PSI {shift.psi:.2f})"
    assert alert.summary == f"the data has shifted against the training data: {index}; 2000 records"
    assert window(hours, START, DAY, lambda _: trained_on("spend"), shift.psi + 0.01).alerts == []


@pytest.mark.parametrize(("shifted", "more"), [(5, ""), (6, " and 1 more"), (9, " and 4 more")])
def test_at_most_five_features_are_named(shifted: int, more: str) -> None:
    """Those that have shifted most, the most first; the others are counted."""
    names = [f"f{n}" for n in range(shifted)]
    bins = {name: [400 - 40 * n, 600 + 40 * n, 0] for n, name in enumerate(names)}
    found = window(at(BEGINNING, hour(bins)), START, DAY, lambda _: trained_on(*names), 0.01)
    (alert,) = found.alerts
    said = {shift.name: f"{shift.name} (PSI {shift.psi:.2f})" for shift in found.shifts}
    named = ", ".join(said[name] for name in names[::-1][:5])
    assert alert.summary == f"the data has shifted against the training data: {named}{more}; 1000 records"


def test_scores_that_have_shifted_are_told_as_well() -> None:
    """They are compared as features are."""
    trained = UNLIKE[::-1]
    found = window(at(BEGINNING, hour({}, scores=UNLIKE)), START, DAY, lambda _: trained_on(scores=trained), 0.2)
    (alert,) = found.alerts
    assert ": score (PSI " in alert.summary


def test_version_that_answered_last_is_compared() -> None:
    """With its own reference, and only what it has seen itself."""
    hours = at(BEGINNING, hour({"spend": TRAINED}, version="v1", minutes=30)) | at(
        BEGINNING + HOUR, hour({"spend": SHIFTED}, version="v0", minutes=1)
    )
    found = window(hours, START, DAY, {"v0": trained_on("spend"), "v1": trained_on()}.get, 0.2)
    assert [alert.about for alert in found.alerts] == ["v0"]
    assert [shift.records for shift in found.shifts] == [1000]


def test_versions_are_listed_the_last_first() -> None:
    """With the span in which they answered, and how often."""
    hours = at(BEGINNING, hour({}, version="v1", scores=[1, 2], minutes=50)) | at(
        BEGINNING + HOUR, hour({}, version="v0", scores=[4], minutes=1)
    )
    ended = [START - timedelta(minutes=minutes) for minutes in (1, 50)]
    five = timedelta(seconds=5)
    assert models(hours) == [
        ModelStatus("v0", ended[0] - five, ended[0], 4), ModelStatus("v1", ended[1] - five, ended[1], 3)
    ]  # fmt: skip
    assert models({}) == []


def test_what_the_metrics_should_be_is_of_the_last_hours() -> None:
    """By version; a version without a score is expected to do nothing, and an hour that is over does not count."""
    hours = (
        at(START - DAY - HOUR, hour({}, version="v3", scores=UNLIKE))
        | at(BEGINNING, hour({}, version="v2", scores=UNLIKE))
        | at(BEGINNING + HOUR, hour({}, version="v1", scores=[0] * len(UNLIKE)))
    )
    found = expectations(hours, START, DAY)
    assert [(one.version, one.scored, one.roc_auc) for one in found] == [("v1", 0, None), ("v2", 1000, 0.5)]
    assert expectations({}, START, DAY) == []
