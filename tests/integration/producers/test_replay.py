"""Replay on a real Kafka: everything in order, once, whatever ends it in between."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Timer

import pytest

from producers.client import ChurnEvents
from producers.datasets import Dataset, load
from producers.errors import ReplayError
from producers.history import SOURCE
from producers.replay import MAX_UNSAVED_PER_CUSTOMER, Progress, Replay
from schemas.cloudevents import CloudEvent
from schemas.events import decode_event
from schemas.outcomes import decode_outcome
from schemas.topics import EVENTS, OUTCOMES
from tests.integration.producers.topics import create_topic, delete_topic
from tests.integration.worker import read

Kafka = dict[str, str]
NewReplay = Callable[..., Replay]
EXCERPT = Path(__file__).parents[2] / "data" / "mlc_excerpt.csv"
FEW = load(EXCERPT).only(["1", "2", "3"])


class Killed(BaseException):
    """The process ended without a chance to save anything."""


@pytest.fixture
def client(kafka: Kafka) -> Iterator[ChurnEvents]:
    """A client of the stack."""
    with ChurnEvents(kafka, source=SOURCE) as events:
        yield events


@pytest.fixture
def new_replay(client: ChurnEvents, tmp_path: Path) -> NewReplay:
    """Make replays that share a folder of checkpoints."""

    def make(dataset: Dataset = FEW, **options: object) -> Replay:
        return Replay(client, dataset, checkpoints=tmp_path / "replay", **options)  # type: ignore[arg-type]

    return make


def by_customer(kafka: Kafka) -> dict[str, list[str]]:
    """The ids of each customer's events in the topic, in order."""
    ids: dict[str, list[str]] = {}
    for message in read(kafka["bootstrap_servers"], EVENTS):
        event = decode_event(message.value())
        ids.setdefault(event.subject, []).append(event.id)
    return ids


def in_data_set(dataset: Dataset) -> dict[str, list[str]]:
    """The ids of each customer's events in a data set, in order."""
    ids: dict[str, list[str]] = {}
    for event in dataset.events:
        ids.setdefault(event.subject, []).append(event.id)
    return ids


def test_everything_is_published_in_order(kafka: Kafka, new_replay: NewReplay) -> None:
    """A replay publishes each customer's events in order and then the outcomes, and reports how far it is."""
    reports: list[Progress] = []
    hooked: list[str] = []
    dataset = load(EXCERPT)
    replay = new_replay(dataset, on_progress=reports.append, before_send=lambda record: hooked.append(record.id))
    assert replay.run() is True
    assert by_customer(kafka) == in_data_set(dataset)
    outcomes = [decode_outcome(message.value()) for message in read(kafka["bootstrap_servers"], OUTCOMES)]
    assert sorted(outcomes, key=lambda outcome: int(outcome.subject)) == dataset.outcomes
    assert hooked == [record.id for record in (*dataset.events, *dataset.outcomes)]
    ended = [report for report in reports if report.sent == report.total]
    assert ended == [Progress(EVENTS, len(dataset.events), len(dataset.events)), Progress(OUTCOMES, 25, 25)]


def test_finished_replay_is_not_repeated_in_silence(kafka: Kafka, new_replay: NewReplay) -> None:
    """A second replay of the same data set to the same topics is refused, until the first is forgotten."""
    new_replay().run()
    with pytest.raises(ReplayError, match="data set mlc was replayed to the end already"):
        new_replay().run()
    other = load(EXCERPT).only(["4"])
    assert new_replay(other).run() is True
    again = new_replay()
    again.forget()
    assert again.run() is True
    assert by_customer(kafka) == {
        customer: 2 * ids for customer, ids in in_data_set(FEW).items()
    } | in_data_set(other)  # fmt: skip


def test_topic_made_anew_is_another_one(kafka: Kafka, new_replay: NewReplay, tmp_path: Path) -> None:
    """The topic's id, and not its name, says what has been replayed: a new topic gets everything."""
    new_replay().run()
    delete_topic(kafka, EVENTS)
    create_topic(kafka, EVENTS)
    with ChurnEvents(kafka, source=SOURCE) as client:
        assert Replay(client, FEW, checkpoints=tmp_path / "replay").run() is True
    assert by_customer(kafka) == in_data_set(FEW)
    assert len(read(kafka["bootstrap_servers"], OUTCOMES)) == len(FEW.outcomes)


def test_stopped_replay_goes_on_where_it_was(kafka: Kafka, new_replay: NewReplay) -> None:
    """After a stop nothing is lost and nothing sent twice, be it in the events or in the outcomes."""
    for stop_at in (FEW.events[10], FEW.events[11], FEW.outcomes[1]):
        replay: Replay = new_replay(before_send=lambda record, at=stop_at: replay.stop() if record is at else None)  # noqa: B023
        assert replay.run() is False
    assert new_replay().run() is True
    assert by_customer(kafka) == in_data_set(FEW)
    assert len(read(kafka["bootstrap_servers"], OUTCOMES)) == len(FEW.outcomes)


@pytest.mark.parametrize("killed_at", range(3, len(FEW.events), 7))
def test_killed_replay_repeats_only_what_workers_recognise(kafka: Kafka, new_replay: NewReplay, killed_at: int) -> None:
    """After a crash nothing is missing, and of each customer no more is repeated than the last ids that are known."""

    def kill(record: CloudEvent) -> None:
        if record is FEW.events[killed_at]:
            raise Killed

    with pytest.raises(Killed):
        new_replay(before_send=kill).run()
    assert new_replay().run() is True
    published = by_customer(kafka)
    for customer, ids in in_data_set(FEW).items():
        assert list(dict.fromkeys(published[customer])) == ids
        repeated = [event_id for event_id, times in Counter(published[customer]).items() if times > 1]
        assert len(repeated) <= MAX_UNSAVED_PER_CUSTOMER
        # A repeated id comes while it is among the last ones that a worker remembers.
        recent: list[str] = []
        folded = []
        for event_id in published[customer]:
            if event_id not in recent:
                folded.append(event_id)
                recent = [*recent, event_id][-MAX_UNSAVED_PER_CUSTOMER:]
        assert folded == ids


def test_rate_is_kept(new_replay: NewReplay) -> None:
    """At 50 records a second, 25 take half a second, and a stop does not wait for the next."""
    few = load(EXCERPT).only(["1", "2"])
    sent: list[float] = []
    replay = new_replay(few, rate=50, before_send=lambda _: sent.append(time.monotonic()))
    start_s = time.monotonic()
    assert replay.run() is True
    expected_s, last_s = (len(few.events) - 1) / 50, sent[len(few.events) - 1]
    assert last_s - start_s > expected_s * 0.9  # not from the first, which may be late, and is then made up for
    assert last_s - sent[0] < expected_s * 1.5 + 0.5

    slow: Replay = new_replay(load(EXCERPT).only(["3"]), rate=0.001, on_progress=lambda _: slow.stop())
    start_s = time.monotonic()
    assert slow.run() is False
    assert time.monotonic() - start_s < 5


def test_interruption_while_waiting_is_prompt(new_replay: NewReplay) -> None:
    """A stop from another thread ends a slow replay within a fraction of a second."""
    replay = new_replay(rate=0.001)
    timer = Timer(0.5, replay.stop)
    timer.start()
    start_s = time.monotonic()
    assert replay.run() is False
    timer.join()
    assert 0.4 < time.monotonic() - start_s < 3


def test_held_up_replay_does_not_rush(new_replay: NewReplay) -> None:
    """A replay at 20 a second that stood still for two seconds makes up for one of them, not for both."""
    sent: list[float] = []

    def hold_up_once(_: CloudEvent) -> None:
        sent.append(time.monotonic())
        if len(sent) == 5:
            time.sleep(2)
        if len(sent) == 70:
            replay.stop()

    replay: Replay = new_replay(load(EXCERPT), rate=20, before_send=hold_up_once)
    replay.run()
    in_half_a_second = sum(moment - sent[5] < 0.5 for moment in sent[5:])
    assert 20 <= in_half_a_second <= 40  # 20 at once and 10 at the rate; with both seconds 40 and 10


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_impossible_rate_is_refused(new_replay: NewReplay, rate: float) -> None:
    """A rate that is not above 0 is named."""
    with pytest.raises(ReplayError, match=f"rate is {rate}; expected more than 0"):
        new_replay(rate=rate)
