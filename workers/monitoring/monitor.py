"""The monitor's loops: read, look and tell. Each goes on whatever happens to the other."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable

from schemas.topics import EVENTS, SCORES
from workers.admin import BrokerError, KafkaAdmin
from workers.alerts.catalogue import TOPIC_QUIET
from workers.alerts.episodes import Episodes
from workers.monitoring.overview import Overview, Read
from workers.monitoring.scores import ScoreReader
from workers.monitoring.stream import Stream

logger = logging.getLogger(__name__)

POLL_S = 0.1
RETRY_S = 1.0
BEAT_S = 60.0
TELLING_S = 5.0  # that a monitor which is told to stop waits for receivers


class Monitor:
    """One monitor; once a minute `beat` hears that it looks, and whether what it saw is well: nothing is critical."""

    def __init__(
        self, *, stream: Stream, reader: ScoreReader, overview: Overview, episodes: Episodes,
        beat: Callable[[bool], None], every_s: float,
    ) -> None:  # fmt: skip
        self._stream, self._reader, self._overview, self._episodes = stream, reader, overview, episodes
        self._beat, self._every_s = beat, every_s
        self._beaten_s = -BEAT_S

    async def run(self) -> None:
        """Work until cancelled."""
        thread = threading.Thread(target=self._reader.run, name="scores", daemon=True)
        thread.start()
        try:
            await asyncio.gather(self._stream.run(), self._look_on())
        finally:
            self._reader.stop()
            await asyncio.to_thread(thread.join, TELLING_S)
            await asyncio.to_thread(self._episodes.settle, TELLING_S)

    def look(self, read: Read) -> bool | None:
        """Judge, and have told what there is to tell; whether nothing is critical, None if the broker did not say."""
        alerts, judged = self._overview.judge(read)
        self._episodes.look(alerts, judged=judged, active=read.active)
        if any(alert.severity == "critical" for alert in alerts):
            return False
        return True if TOPIC_QUIET.name in judged else None

    async def _look_on(self) -> None:
        while True:
            began_s = time.monotonic()
            well: bool | None = False
            try:
                well = await asyncio.to_thread(self.look, self._overview.read())
            except Exception:  # a monitor that cannot judge one thing goes on with the others
                logger.exception("a look failed")
            if well is not None and began_s >= self._beaten_s + BEAT_S:
                self._beat(well)
                self._beaten_s = began_s
            await asyncio.sleep(max(0.0, began_s + self._every_s - time.monotonic()))


class Joining:
    """Waits until the events that had arrived when it was asked are answered, and the answers are in the index.

    An outcome may arrive while the events before it still wait for their scores. The broker is asked once a second: the
    moments that outcomes judge are days ago.
    """

    def __init__(self, admin: KafkaAdmin, group: str, reader: ScoreReader, *, hold_s: float = 1.0) -> None:
        self._admin, self._group, self._reader, self._hold_s = admin, group, reader, hold_s
        self._asked_s = -hold_s

    async def __call__(self) -> None:
        """Return when it is so; a broker that is away is waited for, or the outcome in hand would be lost."""
        now_s = time.monotonic()
        if now_s < self._asked_s + self._hold_s:
            return
        answered = False
        while not answered:
            answered = await self._try()
        self._asked_s = now_s

    async def _try(self) -> bool:
        try:
            await self._wait()
        except BrokerError as error:
            logger.warning("an outcome waits for the broker", extra={"error": str(error)})
            await asyncio.sleep(RETRY_S)
            return False
        return True

    async def _wait(self) -> None:
        newest = await asyncio.to_thread(self._admin.newest, EVENTS)
        while not all(
            answered.get(number, 0) > last.offset
            for answered in [await asyncio.to_thread(self._admin.committed, self._group)]
            for number, last in newest.items()
        ):
            await asyncio.sleep(POLL_S)
        bounds = await asyncio.to_thread(self._admin.bounds, SCORES)
        while not self._reader.has_reached({number: place.end for number, place in bounds.items()}):
            await asyncio.sleep(POLL_S)
