"""Everything that the monitor knows, put together: for the dashboard, and for what is to be told."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from schemas.alerts import Alert, AlertRecord
from schemas.cloudevents import to_ms
from schemas.status import Hour, Status
from schemas.telemetry import FRESHNESS_ORDER, TIME_EDGES_S
from workers.monitoring import quality
from workers.monitoring.hours import HOUR, HourTotals, quantile, total
from workers.monitoring.quality import Outcomes, References, Window
from workers.monitoring.recent import KINDS as _RECENT
from workers.monitoring.recent import Recent
from workers.monitoring.stream import Stream
from workers.monitoring.watch import Watch

DAY = timedelta(days=1)
SHOWN = timedelta(days=3)  # hours
RECENT_ALERTS = 50
STANDING_BY = "This monitor stands by: another one watches, or none has the topics yet."


class Parts(NamedTuple):
    """Where the monitor's knowledge comes from."""

    stream: Stream
    watch: Watch
    recent: Recent
    records: Callable[[], list[AlertRecord]]
    references: References


class Read(NamedTuple):
    """What the streams have read by now; taken in their loop, so that nothing changes meanwhile."""

    active: bool
    hours: Mapping[str, HourTotals]
    pairs: Sequence[bytes]
    recent: Sequence[Alert]


class Overview:
    """Judges and describes; what takes long is done again only when there is more to it, and never for a page."""

    def __init__(self, parts: Parts, *, drift_window_s: float, drift_psi: float, now: Callable[[], datetime]) -> None:
        self._stream, self._watch, self._recent, self._records, self._references = parts
        self._window = timedelta(seconds=drift_window_s)
        self._drift_psi, self._now = drift_psi, now
        self._outcomes, self._compared = Outcomes(), Window()
        self._judged_of: tuple[int, int] | None = None

    def read(self) -> Read:
        """What there is to judge."""
        active = self._stream.active
        return Read(active, self._stream.hours(), self._stream.pairs(), self._recent.judge() if active else ())

    def judge(self, read: Read) -> tuple[list[Alert], set[str]]:
        """What is wrong, and the kinds of alert that could be judged now; takes seconds, in a thread."""
        alerts, judged = self._watch.judge()
        if read.active:
            now = self._now()
            self._compared = quality.window(read.hours, now, self._window, self._references, self._drift_psi)
            key = (len(read.pairs), to_ms(now) // 3_600_000)  # an outcome that was dated ahead is mature some day
            if key != self._judged_of:
                self._outcomes, self._judged_of = quality.outcomes(read.pairs, now), key
            alerts += [*read.recent, *self._compared.alerts, *self._outcomes.alerts]
            judged |= {kind.name for kind in (*_RECENT, *quality.KINDS)}
        return alerts, judged

    def status(self) -> Status:
        """How everything is now, as far as this monitor has read."""
        now, hours = self._now(), self._stream.hours()
        lately = {start: hour for start, hour in hours.items() if datetime.fromisoformat(start) + HOUR > now - DAY}
        today, records = total(lately.values()), self._records()
        open_alerts = [record for record in records if record.open]
        processes, active = self._recent.processes(), self._stream.active
        workers = sum(process.kind == "score" for process in processes)
        return Status(
            at=now,
            healthy=active and not open_alerts,
            sentence=sentence(open_alerts, workers) if active or open_alerts else STANDING_BY,
            open_alerts=open_alerts,
            recent_alerts=records[:RECENT_ALERTS],
            hours=[_hour(start, hour) for start, hour in hours.items() if datetime.fromisoformat(start) > now - SHOWN],
            processes=processes,
            topics=self._watch.topics(),
            lag=self._watch.last.lag if self._watch.last else None,
            models=quality.models(hours),
            measured=list(self._outcomes.measured),
            expected=quality.expectations(hours, now, self._window),
            calibration=list(self._outcomes.calibration),
            shifts=list(self._compared.shifts),
            freshness={
                name: dict(zip(FRESHNESS_ORDER, counts, strict=False)) for name, counts in today.freshness.items()
            },
            latency_p50_s=quantile(today.latency, TIME_EDGES_S, 0.5),
            latency_p99_s=quantile(today.latency, TIME_EDGES_S, 0.99),
            errors=today.errors,
            problems=today.problems,
            dead_letters=today.counts.get("dead-letter", 0),
            outcomes=self._outcomes.joined,
            outcomes_without_score=self._outcomes.without_score,
        )


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
