"""What the monitor shows to Prometheus of the whole system, beside the requests that it answers."""

from collections import Counter
from collections.abc import Iterator

from workers.alerts.episodes import Episodes
from workers.metrics import ALERTS_OPEN, INFO, MONITOR_ACTIVE, TOPIC_QUIET, Values
from workers.monitoring.stream import Stream
from workers.monitoring.watch import Watch


class Numbers:
    """Reads the numbers when somebody asks."""

    def __init__(self, stream: Stream, watch: Watch, episodes: Episodes, release: str) -> None:
        self._stream, self._watch, self._episodes, self._release = stream, watch, episodes, release

    def read(self) -> Iterator[Values]:
        """The metrics of the monitor."""
        open_alerts: Counter[tuple[str, ...]] = Counter(
            (record.alert.kind, record.alert.severity) for record in self._episodes.records() if record.open
        )
        yield Values(INFO, {("monitor", self._release): 1})
        yield Values(MONITOR_ACTIVE, {(): int(self._stream.active)})
        yield Values(ALERTS_OPEN, dict(open_alerts))
        yield Values(
            TOPIC_QUIET, {(topic.name,): topic.quiet_s for topic in self._watch.topics() if topic.quiet_s is not None}
        )
