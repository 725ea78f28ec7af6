"""What a `Status` comes to: the few numbers that come first, and a sentence for each chart."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import NamedTuple

from model.declaration import plural
from schemas.status import Hour, Status
from workers.api import words
from workers.monitoring.tables import NONE, Cell, clock, estimate, features, seconds

DAY = timedelta(days=1)


class Tile(NamedTuple):
    """A number that comes first, and what to know of it."""

    id: str
    name: str
    value: str
    note: str


def tiles(status: Status) -> list[Tile]:
    """The numbers that come first."""
    answered = _of_day(status, lambda hour: hour.counts)
    total = sum(answered.values())
    failed = answered.get("could-not-compute", 0)
    judged = status.outcomes + status.outcomes_without_score
    none = "no answers yet"
    half = f"p99; half within {seconds(status.latency_p50_s)}" if status.latency_p50_s else none
    return [
        Tile("answered", "Answers", f"{total:,}", "in the last 24 hours"),
        Tile("failed", "Could not compute", f"{failed:,}", f"{failed / total:.1%} of the answers" if total else none),
        Tile("dead-letters", "Dead letters", f"{status.dead_letters:,}", "in the last 24 hours"),
        Tile("latency", "Latency", seconds(status.latency_p99_s), half),
        Tile("lag", "Lag", NONE if status.lag is None else f"{status.lag:,}", "records not yet answered"),
        Tile("outcomes", "Outcomes", f"{judged:,}", f"{status.outcomes_without_score:,} without a score"),
    ]  # fmt: skip


def sentences(status: Status) -> dict[str, str]:
    """What each chart shows, in a sentence; empty where there is nothing to show."""
    return {
        "answers": _busiest(status, lambda hour: hour.counts),
        "requests": _busiest(status, lambda hour: hour.requests),
        "scores": _scores(status),
        "accuracy": _accuracy(status),
        "calibration": _calibration(status),
        "drift": _drift(status),
        "freshness": _freshness(status),
    }


def _of_day(status: Status, counts: Callable[[Hour], Mapping[str, int]]) -> dict[str, int]:
    """The sums of the hours that end within 24 hours of now."""
    sums: dict[str, int] = {}
    for hour in status.hours:
        if hour.start > status.at - DAY:
            for name, number in counts(hour).items():
                sums[name] = sums.get(name, 0) + number
    return sums


def _busiest(status: Status, counts: Callable[[Hour], Mapping[str, int]]) -> str:
    totals = [(sum(counts(hour).values()), hour.start) for hour in status.hours]
    most, start = max(totals, key=lambda total: total[0], default=(0, status.at))
    if not most:
        return ""
    day = sum(_of_day(status, counts).values())
    return f"{day:,} in the last 24 hours; the busiest hour, from {clock(start)}, had {most:,}."


def _scores(status: Status) -> str:
    shift = next((shift for shift in status.shifts if shift.name == "score"), None)
    if shift is None:
        return ""
    verdict = "They have drifted from those of training" if shift.drifted else "They are like those of training"
    return f"{verdict}: PSI {shift.psi:.3f} over {plural(shift.records, 'record')}."


def _accuracy(status: Status) -> str:
    weeks = [m for m in status.measured if m.week and not m.segment]
    if not weeks:
        return ""
    newest = max(weeks, key=lambda m: (m.week, m.version))
    parts = [("ROC AUC", estimate(newest.roc_auc)), ("log-loss", estimate(newest.log_loss))]
    return (
        f"Week {newest.week}, version {newest.version}, {plural(newest.pairs, 'customer')}: "
        f"{', '.join(f'{name} {_told(cell)}' for name, cell in parts)}."
    )


def _told(cell: Cell) -> str:
    return "cannot be told yet" if cell.value is None else cell.text


def _calibration(status: Status) -> str:
    if not status.calibration:
        return ""
    customers = plural(sum(point.pairs for point in status.calibration), "customer")
    groups = plural(len(status.calibration), "group")
    return f"{customers} in {groups} of like scores. Above the line more left than predicted."


def _drift(status: Status) -> str:
    shifts = features(status)
    if not shifts:
        return ""
    names = [words.name(shift.name) for shift in shifts if shift.drifted]
    if not names:
        return f"None of {plural(len(shifts), 'feature')} has drifted."
    return f"{len(names)} of {plural(len(shifts), 'feature')} drifted: {', '.join(names)}."


def _freshness(status: Status) -> str:
    counts = [count for feature in status.freshness.values() for count in feature.items()]
    total = sum(number for _, number in counts)
    if not total:
        return ""
    fresh = sum(number for kind, number in counts if kind == "fresh")
    return f"{fresh / total:.1%} of the values of the last 24 hours were fresh."
