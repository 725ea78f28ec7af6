"""How good the scores are: drift of what they are made of, and what became of the customers."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.monitoring.accuracy import Pairs, matured, measured
from model.monitoring.calibration import calibration, reliability
from model.monitoring.drift import shifts
from model.monitoring.expected import expected
from model.reference import Reference
from schemas.alerts import Alert
from schemas.cloudevents import from_ms, to_ms
from schemas.status import CalibrationPoint, Expected, Measured, ModelStatus, Shift
from workers.alerts.catalogue import CALIBRATION_DRIFT, FEATURE_DRIFT, Kind
from workers.monitoring.hours import HOUR, HourTotals, total
from workers.monitoring.pairs import WITHOUT_SCORE, columns

NAMED = 5  # of the features that have shifted
KINDS: tuple[Kind, ...] = (FEATURE_DRIFT, CALIBRATION_DRIFT)
References = Callable[[str], Reference | None]


class Outcomes(NamedTuple):
    """What the outcomes that are mature say."""

    joined: int = 0
    without_score: int = 0
    measured: Sequence[Measured] = ()
    calibration: Sequence[CalibrationPoint] = ()
    alerts: Sequence[Alert] = ()


class Window(NamedTuple):
    """What the last window says of the model that answered last."""

    start: datetime | None = None
    shifts: Sequence[Shift] = ()
    alerts: Sequence[Alert] = ()


def outcomes(kept: Sequence[bytes], now: datetime) -> Outcomes:
    """Measure what is kept of the outcomes; calibration is judged of the version that was judged last."""
    pairs = matured(columns(kept), to_ms(now))
    without = sum(value == WITHOUT_SCORE for value in kept)
    if not len(pairs.probability):
        return Outcomes(without_score=without)
    points, alerts = [], []
    versions = np.array(pairs.version)
    last = versions[pairs.judged_ms.argmax()]
    for version in sorted(set(pairs.version)):
        own = versions == version
        points += reliability(version, pairs.probability[own], pairs.churned[own])
        if version == last:
            alerts += _calibration_alert(version, pairs, own)
    return Outcomes(len(versions), without, measured(pairs), points, alerts)


def window(
    hours: Mapping[str, HourTotals], now: datetime, span: timedelta, references: References, drift_psi: float
) -> Window:
    """Compare what the version that answered last saw in the hours of the last `span` with what it was trained on."""
    inside = {start: hour for start, hour in hours.items() if datetime.fromisoformat(start) + HOUR > now - span}
    all_of_it = total(inside.values())
    if not all_of_it.seen:
        return Window()
    version = max(all_of_it.seen, key=lambda name: all_of_it.seen[name].last)
    start = datetime.fromisoformat(min(inside)).astimezone(UTC)
    reference = references(version)
    if reference is None:
        return Window(start)
    found = shifts(reference.features, reference.scores, all_of_it.models[version], drift_psi)
    return Window(start, found, _drift_alerts(version, [shift for shift in found if shift.drifted], start))


def models(hours: Mapping[str, HourTotals]) -> list[ModelStatus]:
    """Every version that answered, the last first."""
    all_of_it = total(hours.values())
    found = [
        ModelStatus(version, span.first, span.last, sum(all_of_it.models[version].scores))
        for version, span in all_of_it.seen.items()
    ]
    return sorted(found, key=lambda model: model.last_seen, reverse=True)


def expectations(hours: Mapping[str, HourTotals], now: datetime, span: timedelta) -> list[Expected]:
    """What each version's metrics should be, from the scores of the hours of the last `span`."""
    inside = [hour for start, hour in hours.items() if datetime.fromisoformat(start) + HOUR > now - span]
    return [expected(version, counts.scores) for version, counts in sorted(total(inside).models.items())]


def _calibration_alert(version: str, pairs: Pairs, own: NDArray[np.bool_]) -> list[Alert]:
    found = calibration(pairs.probability[own], pairs.churned[own])
    if not found.off:
        return []
    summary = f"scores said {found.mean_score:.1%}, {found.observed:.1%} of {found.pairs} customers left"
    return [CALIBRATION_DRIFT.alert(summary, since=from_ms(int(pairs.judged_ms[own].min())), about=version)]


def _drift_alerts(version: str, drifted: Sequence[Shift], since: datetime) -> list[Alert]:
    """One alert, however many features have shifted: what shifts them is mostly one thing."""
    if not drifted:
        return []
    most = sorted(drifted, key=lambda shift: -shift.psi)[:NAMED]
    names = ", ".join(f"{shift.name} (PSI {shift.psi:.2f})" for shift in most)
    more = f" and {len(drifted) - NAMED} more" if len(drifted) > NAMED else ""
    summary = f"the data has shifted against the training data: {names}{more}; {most[0].records} records"
    return [FEATURE_DRIFT.alert(summary, since=since, about=version)]
