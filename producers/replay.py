"""Publishing a recorded data set: the events, then the outcomes, resumable at any moment."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic, sleep
from typing import NamedTuple

from producers.checkpoint import Checkpoint, Place
from producers.client import ChurnEvents
from producers.datasets import Dataset
from producers.errors import ReplayError
from schemas.cloudevents import CloudEvent
from schemas.topics import EVENTS, OUTCOMES

SAVE_INTERVAL_S = 1.0
REPORT_INTERVAL_S = 0.1
# After a crash, what was sent since the last checkpoint is sent again. The workers know as many of a customer's last
# event ids, so never send more of one customer without a checkpoint: repeats are then never counted twice.
MAX_UNSAVED_PER_CUSTOMER = 8


class Progress(NamedTuple):
    """`sent` of `total` records of `topic` have been handed to the client."""

    topic: str
    sent: int
    total: int


class _Stage(NamedTuple):
    topic: str
    records: Sequence[CloudEvent]
    checkpoint: Checkpoint


class Replay:
    """One replay of `dataset` through `client`, at `rate` records a second or as fast as it goes.

    How far it came is kept in the folder `checkpoints`, by data set and topic (a topic that was deleted and made anew
    is another one), so that the next replay goes on where this one stopped, however it did. `before_send` is called
    with each record right before it is sent, and may use `client` itself. `on_progress` is called ten times a second.
    """

    def __init__(
        self, client: ChurnEvents, dataset: Dataset, *, checkpoints: Path, rate: float | None = None,
        before_send: Callable[[CloudEvent], None] = lambda _: None,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> None:  # fmt: skip
        if rate is not None and not rate > 0:  # so written, it refuses nan
            raise ReplayError(f"rate is {rate}; expected more than 0 records a second")
        self._client = client
        self._dataset = dataset
        self._checkpoints = checkpoints
        self._interval_s = 0.0 if rate is None else 1 / rate
        self._before_send = before_send
        self._on_progress = on_progress
        self._stopped = False

    def stop(self) -> None:
        """Let `run` end after the record at hand; may be called by a signal handler or another thread."""
        self._stopped = True

    def forget(self) -> None:
        """Forget how far earlier replays of the data set came: `run` then publishes all of it again.

        The workers remember a customer's last few event ids, so most of what is repeated counts twice.
        """
        for stage in self._stages():
            stage.checkpoint.forget()

    def run(self) -> bool:
        """Publish what has not been published yet; returns whether that is all of it, and not just up to a `stop`.

        Raises `ReplayError` when an earlier replay published all of it or its place cannot be read or written, and
        `DeliveryError`.
        """
        stages = self._stages()
        if all(place.sent == place.total for place in map(_place, stages)):
            raise ReplayError(
                f"data set {self._dataset.name} was replayed to the end already; `churn replay --again` repeats it"
            )
        return all(self._publish(stage) for stage in stages)

    def _stages(self) -> list[_Stage]:
        records: dict[str, Sequence[CloudEvent]] = {EVENTS: self._dataset.events, OUTCOMES: self._dataset.outcomes}
        return [
            _Stage(topic, records[topic], Checkpoint(self._checkpoints / f"{self._dataset.key}-{topic_id}.json"))
            for topic, topic_id in [(topic, self._client.topic_id(topic)) for topic in records]
        ]

    def _publish(self, stage: _Stage) -> bool:
        total = len(stage.records)
        sent = _place(stage).sent
        unsaved: Counter[str] = Counter()
        save_at_s = report_at_s = due_s = monotonic()
        for record in stage.records[sent:]:
            now_s = monotonic()
            if now_s >= report_at_s:
                self._on_progress(Progress(stage.topic, sent, total))
                report_at_s = now_s + REPORT_INTERVAL_S
            if now_s >= save_at_s or unsaved[record.subject] == MAX_UNSAVED_PER_CUSTOMER:
                self._save(stage, sent)
                unsaved.clear()
                save_at_s = now_s + SAVE_INTERVAL_S
            due_s = max(due_s, now_s - 1) + self._interval_s  # who was held up catches up a second, not an hour
            self._wait_until(due_s)
            if self._stopped:
                break
            self._before_send(record)
            self._client.send(record)
            unsaved[record.subject] += 1
            sent += 1
        self._save(stage, sent)
        self._on_progress(Progress(stage.topic, sent, total))
        return sent == total

    def _save(self, stage: _Stage, sent: int) -> None:
        self._client.flush()
        stage.checkpoint.write(Place(sent, len(stage.records)))

    def _wait_until(self, due_s: float) -> None:
        while not self._stopped and (wait_s := due_s - monotonic()) > 0:
            sleep(min(wait_s, REPORT_INTERVAL_S))


def _place(stage: _Stage) -> Place:
    return stage.checkpoint.read(len(stage.records))
