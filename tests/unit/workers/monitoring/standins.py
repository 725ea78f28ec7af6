"""Stand-ins for what the monitor reads Kafka with; the real ones are held by tests with a broker."""

from collections.abc import Iterable

from schemas.alerts import Alert, AlertRecord
from tests.unit.workers.monitoring.clock import START
from workers.admin import BrokerError, Newest
from workers.alerts.catalogue import Kind
from workers.alerts.episodes import Episodes
from workers.monitoring.hours import HourTotals
from workers.monitoring.stream import Stream
from workers.monitoring.watch import Look


class StandInStream(Stream):
    """Has read what it is given."""

    def __init__(self) -> None:
        self.is_active = True
        self.by_hour: dict[str, HourTotals] = {}
        self.kept: list[bytes] = []

    @property
    def active(self) -> bool:
        """What was set."""
        return self.is_active

    def hours(self) -> dict[str, HourTotals]:
        """What was set."""
        return self.by_hour

    def pairs(self) -> list[bytes]:
        """What was set."""
        return self.kept


class StandInEpisodes(Episodes):
    """Knows these records."""

    def __init__(self, records: Iterable[AlertRecord]) -> None:
        self._those = [*records]

    def records(self) -> list[AlertRecord]:
        """What was given."""
        return self._those


class StandInBroker:
    """Says what it is set to, or is away."""

    def __init__(self) -> None:
        self.newest: dict[str, dict[int, Newest]] = {}
        self.committed: dict[int, int] = {}
        self.members = 1
        self.away: str | None = None

    def __call__(self) -> Look:
        """What it says now."""
        if self.away is not None:
            raise BrokerError(self.away)
        return Look(dict(self.newest), dict(self.committed), self.members)


def record(alert: Alert, *, open_: bool = True) -> AlertRecord:
    """A moment of the alert's episode."""
    return AlertRecord(alert=alert, state="raised" if open_ else "cleared", at=START)


def names(*kinds: Kind) -> set[str]:
    """The names of kinds."""
    return {kind.name for kind in kinds}
