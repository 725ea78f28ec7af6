"""The numbers of a `Status` as tables, for the page as well as for the terminal: one place for what they are called."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from schemas.scores import Freshness
from schemas.status import Hour, Interval, Shift, Status
from schemas.telemetry import FRESHNESS_ORDER
from workers.api import words

NONE = "–"
STATUSES = ("scored", "could-not-compute", "dead-letter", "sent-on")  # what is usual comes first
_ONCE = "once it is known of scored customers whether they left"
LEAST_P = 0.001
_FRESHNESS: dict[Freshness, str] = {**words.FRESHNESS, "fresh": "fresh"}


class Cell(NamedTuple):
    """What is read, and for charts the number behind it with its interval."""

    text: str
    value: float | None = None
    low: float | None = None
    high: float | None = None


class Column(NamedTuple):
    """A column's name, and whether it holds numbers."""

    name: str
    number: bool = True


class Table(NamedTuple):
    """Rows, or the sentence that says why there are none."""

    id: str
    title: str
    columns: tuple[Column, ...]
    rows: Sequence[tuple[Cell, ...]]
    empty: str


def said(text: str) -> Cell:
    """A cell of words."""
    return Cell(text)


def whole(number: int) -> Cell:
    """`1,234`."""
    return Cell(f"{number:,}", number)


def decimal(number: float | None, low: float | None = None, high: float | None = None) -> Cell:
    """`0.913`, with its interval if it has one."""
    if number is None:
        return Cell(NONE)
    interval = "" if low is None or high is None else f" ({low:.3f} to {high:.3f})"
    return Cell(f"{number:.3f}{interval}", number, low, high)


def estimate(interval: Interval) -> Cell:
    """An estimate with its interval."""
    return decimal(interval.value, interval.low, interval.high)


def share(number: float | None, low: float | None = None, high: float | None = None) -> Cell:
    """`12.3%`, with its interval if it has one."""
    if number is None:
        return Cell(NONE)
    interval = "" if low is None or high is None else f" ({100 * low:.1f} to {100 * high:.1f})"
    return Cell(f"{100 * number:.1f}%{interval}", number, low, high)


def seconds(number: float | None) -> str:
    """`4.1 ms`, `2.5 s`, `3.2 hours`, `1.5 days`."""
    if number is None:
        return NONE
    for least, length, unit in ((172_800, 86_400, "days"), (7_200, 3_600, "hours"), (120, 60, "minutes"), (1, 1, "s")):
        if number >= least:
            return f"{_rounded(number / length)} {unit}"
    return f"{_rounded(number * 1000)} ms"


def _rounded(number: float) -> str:
    """Three digits that count."""
    return f"{float(f'{number:.3g}'):,g}"


def clock(time: datetime) -> str:
    """`25 Nov 14:03`."""
    return f"{time.day} {time:%b %H:%M}"


def _columns(*names: str, words_first: int = 1) -> tuple[Column, ...]:
    return tuple(Column(name, number >= words_first) for number, name in enumerate(names))


def _most_first(counts: Mapping[str, int]) -> list[tuple[Cell, ...]]:
    return [(said(name), whole(n)) for name, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]


def _by_hour(hours: Iterable[tuple[Hour, Mapping[str, int]]], names: Iterable[str]) -> list[tuple[Cell, ...]]:
    return [(said(clock(hour.start)), *(whole(counts.get(name, 0)) for name in names)) for hour, counts in hours]


def answers(status: Status) -> Table:
    """Answers of each hour, by status."""
    seen = {name for hour in status.hours for name in hour.counts}
    names = [*(name for name in STATUSES if name in seen), *sorted(seen - {*STATUSES})]
    rows = _by_hour(((hour, hour.counts) for hour in status.hours), names) if names else []
    return Table("answers", "Answers per hour", _columns("Hour (UTC)", *names), rows,
                 "Nothing was answered yet. Answers show up here once a scoring worker or the API runs.")  # fmt: skip


def requests(status: Status) -> Table:
    """HTTP requests of each hour, by status code."""
    names = sorted({name for hour in status.hours for name in hour.requests})
    rows = _by_hour(((hour, hour.requests) for hour in status.hours), names) if names else []
    return Table("requests", "HTTP requests per hour", _columns("Hour (UTC)", *names), rows,
                 "No HTTP requests yet. They show up here once `churn api` is asked.")  # fmt: skip


def distribution(shift: Shift, table_id: str, title: str) -> Table:
    """Shares of a feature's values, or of the scores, in training and now."""
    rows = [
        (said(label), share(then), share(now))
        for label, then, now in zip(shift.labels, shift.reference, shift.now, strict=True)
    ]
    return Table(table_id, title, _columns("From, to", "Training", "Now"), rows, "No values yet.")


def scores(status: Status) -> Table:
    """The distribution of the scores, in training and now."""
    found = [shift for shift in status.shifts if shift.name == "score"]
    empty = "No scores of the current window yet: they are compared with those of training once there are some."
    if not found:
        return Table("scores", "Scores now and in training", _columns("From, to", "Training", "Now"), [], empty)
    return distribution(found[0], "scores", "Scores now and in training")


def accuracy(status: Status) -> Table:
    """How good the scores of each week turned out, by version."""
    rows = [
        (said(m.version), said(m.week), whole(m.pairs), whole(m.leavers), estimate(m.roc_auc), estimate(m.log_loss),
         estimate(m.brier))
        for m in sorted(status.measured, key=lambda m: (m.version, m.week))
        if m.week and not m.segment
    ]  # fmt: skip
    names = ("Version", "Week", "Customers", "Left", "ROC AUC", "Log-loss", "Brier score")
    return Table("accuracy", "Accuracy by week", _columns(*names, words_first=2), rows,
                 f"No outcomes yet: accuracy is shown {_ONCE}.")  # fmt: skip


def segments(status: Status) -> Table:
    """How good the scores turned out in all weeks together, for everybody and for each segment."""
    rows = [
        (said(m.version), said(m.segment or "everybody"), whole(m.pairs), estimate(m.roc_auc), estimate(m.log_loss),
         share(m.mean_score), share(m.churn_rate.value, m.churn_rate.low, m.churn_rate.high), whole(m.acted),
         share(m.precision_at_action.value, m.precision_at_action.low, m.precision_at_action.high))
        for m in sorted(status.measured, key=lambda m: (m.version, m.segment))
        if not m.week
    ]  # fmt: skip
    names = ("Version", "Segment", "Customers", "ROC AUC", "Log-loss", "Mean score", "Left", "With an action",
             "of whom left")  # fmt: skip
    return Table("segments", "By segment, all weeks", _columns(*names, words_first=2), rows,
                 f"No outcomes yet: segments are compared {_ONCE}.")  # fmt: skip


def expected(status: Status) -> Table:
    """What the metrics should be, before outcomes are known."""
    rows = [
        (said(e.version), whole(e.scored), decimal(e.roc_auc), decimal(e.log_loss), decimal(e.brier),
         share(e.churn_rate))
        for e in sorted(status.expected, key=lambda e: e.version)
    ]  # fmt: skip
    names = ("Version", "Scored", "ROC AUC", "Log-loss", "Brier score", "Will leave")
    return Table("expected", "Expected, if the scores are calibrated", _columns(*names), rows,
                 "No scores yet from which to tell what to expect.")  # fmt: skip


def calibration(status: Status) -> Table:
    """Scores of a bin, and how many of its customers left."""
    rows = [
        (said(p.version), share(p.predicted), share(p.observed.value, p.observed.low, p.observed.high), whole(p.pairs))
        for p in sorted(status.calibration, key=lambda p: (p.version, p.predicted))
    ]
    names = ("Version", "Predicted", "Left", "Customers")
    return Table("calibration", "Calibration", _columns(*names), rows,
                 f"No outcomes yet: calibration is shown {_ONCE}.")  # fmt: skip


def drift(status: Status) -> Table:
    """Each feature against the training data, the most shifted first."""
    rows = [
        (said(words.name(s.name)), decimal(s.psi), _p(s.p_adjusted), whole(s.records),
         said("drifted" if s.drifted else "as in training"))
        for s in features(status)
    ]  # fmt: skip
    columns = (*_columns("Feature", "PSI", "p", "Records"), Column("Verdict", number=False))
    return Table("drift", "Features against training", columns, rows,
                 "No features of the current window yet, or the model has no reference to compare with.")  # fmt: skip


def _p(number: float) -> Cell:
    return Cell(f"under {LEAST_P}", number) if number < LEAST_P else decimal(number)


def features(status: Status) -> list[Shift]:
    """The shifts of features, the drifted and the greatest first."""
    return sorted((s for s in status.shifts if s.name != "score"), key=lambda s: (not s.drifted, -s.psi, s.name))


def freshness(status: Status) -> Table:
    """How fresh each feature was, the least fresh first."""
    rows = []
    for name, counts in status.freshness.items():
        total = sum(counts.values())
        shares = [counts.get(kind, 0) / total if total else None for kind in FRESHNESS_ORDER]
        rows.append((said(words.name(name)), *map(share, shares)))
    rows.sort(key=lambda row: (1.0 if row[1].value is None else row[1].value, row[0].text))
    return Table("freshness", "Freshness of features", _columns("Feature", *_FRESHNESS.values()), rows,
                 "No features were read in the last 24 hours.")  # fmt: skip


def errors(status: Status) -> Table:
    """Errors of the last 24 hours by class."""
    return Table("errors", "Errors", _columns("Class", "Last 24 hours"), _most_first(status.errors),
                 "No errors in the last 24 hours.")  # fmt: skip


def problems(status: Status) -> Table:
    """Why scores could not be computed in the last 24 hours."""
    return Table("problems", "Could not compute", _columns("Why", "Last 24 hours"), _most_first(status.problems),
                 "Every score of the last 24 hours could be computed.")  # fmt: skip
