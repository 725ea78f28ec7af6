"""Everything that the monitor knows, put together: for the dashboard, and for what is to be told."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from schemas.alerts import Alert, AlertRecord
from schemas.cloudevents import to_ms
from schemas.status import Hour, Status
from schemas.telemetry import FRESHNESS_ORDER, TIME_EDGES_S
from workers.monitoring import quality
from workers.monitoring.hours import HOUR, HourTotals, quantile, total
from workers.monitoring.quality import Outcomes, References
from workers.monitoring.recent import KINDS as _RECENT
from workers.monitoring.recent import Recent
from workers.monitoring.stream import Stream
from workers.monitoring.watch import Watch

logger = logging.getLogger(__name__)

DAY = timedelta(days=1)
SHOWN = timedelta(days=3)  # hours
RECENT_ALERTS = 50


class Parts(NamedTuple):
    """Where the monitor's knowledge comes from."""

    stream: Stream
    watch: Watch
    recent: Recent
    records: Callable[[], list[AlertRecord]]
    references: References


class Overview:
    """Judges and describes; what takes long is done again only when there is more to it."""

    def __init__(self, parts: Parts, *, drift_window_s: float, drift_psi: float, now: Callable[[], datetime]) -> None:
        self._stream, self._watch, self._recent, self._records, self._references = parts
        self._window = timedelta(seconds=drift_window_s)
        self._drift_psi, self._now = drift_psi, now
        self._outcomes = Outcomes()
        self._judged_of: tuple[int, int] | None = None

    def judge(self) -> tuple[list[Alert], set[str]]:
        """What is wrong, and the kinds of alert that could be judged now."""
        alerts, judged = self._watch.judge()
        if self._stream.active:
            hours = self._stream.hours()
            found = quality.window(hours, self._now(), self._window, self._references, self._drift_psi)
            alerts += [*self._recent.judge(), *found.alerts, *self._measured().alerts]
            judged |= {kind.name for kind in (*_RECENT, *quality.KINDS)}
        return alerts, judged

    def status(self) -> Status:
        """How everything is now."""
        now, hours = self._now(), self._stream.hours()
        lately = {start: hour for start, hour in hours.items() if datetime.fromisoformat(start) + HOUR > now - DAY}
        today, outcomes = total(lately.values()), self._measured()
        records = self._records()
        open_alerts = [record for record in records if record.open]
        processes = self._recent.processes()
        return Status(
            at=now,
            healthy=not open_alerts,
            sentence=sentence(open_alerts, sum(process.kind == "score" for process in processes)),
            open_alerts=open_alerts,
            recent_alerts=records[:RECENT_ALERTS],
            hours=[
                _hour(start, hour) for start, hour in hours.items() if datetime.fromisoformat(start) > now - SHOWN
            ],
            processes=processes,
            topics=self._watch.topics(),
            lag=self._watch.last.lag if self._watch.last else None,
            models=quality.models(hours),
            measured=list(outcomes.measured),
            expected=quality.expectations(hours, now, self._window),
            calibration=list(outcomes.calibration),
            shifts=list(quality.window(hours, now, self._window, self._references, self._drift_psi).shifts),
            freshness={
                name: dict(zip(FRESHNESS_ORDER, counts, strict=False)) for name, counts in today.freshness.items()
            },
            latency_p50_s=quantile(today.latency, TIME_EDGES_S, 0.5),
            latency_p99_s=quantile(today.latency, TIME_EDGES_S, 0.99),
            errors=today.errors,
            problems=today.problems,
            dead_letters=today.counts.get("dead-letter", 0),
            outcomes=outcomes.joined,
            outcomes_without_score=outcomes.without_score,
        )  # fmt: skip

    def _measured(self) -> Outcomes:
        """What the outcomes say, measured anew when there are more of them or an hour has passed."""
        kept, now = self._stream.pairs(), self._now()
        key = (len(kept), to_ms(now) // 3_600_000)
        if key != self._judged_of:
            self._outcomes, self._judged_of = quality.outcomes(kept, now), key
        return self._outcomes


def sentence(open_alerts: Sequence[AlertRecord], workers: int) -> str:
    """Whether all is well, in words."""
    if not open_alerts:
        there = "one scoring worker is" if workers == 1 else f"{workers or 'no'} scoring workers are"
        return f"All is well: nothing is to be done, {there} at work."
    worst = min(open_alerts, key=lambda record: (record.alert.severity != "critical", record.alert.since))
    more = f" And {len(open_alerts) - 1} more." if len(open_alerts) > 1 else ""
    return f"{worst.alert.summary[:1].upper()}{worst.alert.summary[1:]}.{more}"


def _hour(start: str, hour: HourTotals) -> Hour:
    return Hour(datetime.fromisoformat(start), hour.counts, hour.requests)
