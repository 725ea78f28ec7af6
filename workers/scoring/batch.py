"""What one partition's records come to: answers, dead letters, records to send on, and the states after them.

Nothing here reads or writes anything: the same records and states always come to the same result.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from model.fold import event_ms, fold
from model.scoring import Question, Scorer
from model.state import CustomerState
from schemas.errors import InvalidRecordError
from schemas.events import Event
from schemas.partitioning import partition_of
from schemas.scores import Problem
from workers.scoring.records import Record, event_of


class Letter(NamedTuple):
    """A record that can never be used, and why."""

    record: Record
    error: InvalidRecordError


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """A record that is an event."""

    record: Record
    event: Event


@dataclass(slots=True)
class Decoded:
    """The records of one partition, sorted into events and dead letters."""

    accepted: list[Accepted] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)

    @property
    def customers(self) -> list[str]:
        """The customers of the events, each once."""
        return list(dict.fromkeys(item.event.subject for item in self.accepted))


@dataclass(slots=True)
class Outcome:
    """What is to be published for one partition, and the states to be written once it is."""

    asked: list[Accepted] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    astray: list[Record] = field(default_factory=list)
    states: dict[str, CustomerState] = field(default_factory=dict)


class Rules(NamedTuple):
    """What the fold must know: the topic's number of partitions, and how far ahead of the broker a clock may be."""

    partitions: int
    clock_skew_ms: int


def decode(records: Iterable[Record]) -> Decoded:
    """Sort records into events and dead letters."""
    result = Decoded()
    for record in records:
        try:
            result.accepted.append(Accepted(record, event_of(record)))
        except InvalidRecordError as error:
            result.letters.append(Letter(record, error))
    return result


def fold_and_ask(
    accepted: Iterable[Accepted], states: Mapping[str, CustomerState], scorer: Scorer, rules: Rules, publish_from: int
) -> Outcome:
    """Fold events into `states`, in order, and ask for a score after each from the offset `publish_from` on.

    An event of a customer who belongs to another partition is not folded here: it is to be sent on. An event dated
    further ahead of the broker than the rules allow is answered and not folded: believing it would age everything else
    that is known of the customer.
    """
    outcome = Outcome()
    known = dict(states)
    for item in accepted:
        record, event = item.record, item.event
        customer = event.subject
        state = known.get(customer)
        # A stored state is proof that this is the customer's partition: it was checked when the state was made.
        if state is None:
            if partition_of(customer, rules.partitions) != record.partition:
                if record.offset >= publish_from:
                    outcome.astray.append(record)
                continue
            state = known[customer] = CustomerState.new()
        time_ms, latest_ms = event_ms(event), record.timestamp_ms + rules.clock_skew_ms
        problem = None
        if time_ms > latest_ms:
            problem = Problem(
                "event-in-future", f"the event is dated {event.time.isoformat(timespec='seconds')}, after its arrival"
            )
        else:
            fold(state, event, time_ms)
            outcome.states[customer] = state
        if record.offset >= publish_from:
            at_ms = max(state.newest_ms, min(time_ms, latest_ms))
            outcome.asked.append(item)
            outcome.questions.append(Question(scorer.vectorizer.read(state, at_ms), event.id, problem))
    return outcome
