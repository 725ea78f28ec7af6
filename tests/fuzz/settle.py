"""What records come to, from bytes to bytes, as the worker does it, with everything that must hold of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import NamedTuple

import msgspec

from model.scoring import Scorer
from model.state import decode_state, encode_state
from schemas.deadletters import DeadLetterHeaders
from schemas.scores import ChurnScored, FeatureValue, decode_score, result_id
from schemas.topics import DEAD_LETTERS, EVENTS, SCORES
from tests.fuzz.model import NOW, SCORER
from workers.scoring.account import Account
from workers.scoring.batch import Outcome, Rules, decode, fold_and_ask
from workers.scoring.outputs import outputs
from workers.scoring.records import Record
from workers.scoring.transactions import Output

LARGEST_OUTPUT_BYTES = 2_097_152  # what the producer takes
RULES = Rules(partitions=2, clock_skew_ms=3_600_000)


class Settled(NamedTuple):
    """What was published, how much of what, and the states to be stored."""

    published: list[Output]
    counts: Counter[str]
    stored: dict[str, bytes]


def settle(records: Sequence[Record], stored: Mapping[str, bytes] | None = None, scorer: Scorer = SCORER) -> Settled:
    """Process records; every one must come to exactly one output, and every state must survive storage."""
    decoded = decode(records)
    known = stored or {}
    states = {customer: decode_state(known[customer]) for customer in decoded.customers if customer in known}
    outcome = fold_and_ask(decoded.accepted, states, scorer, RULES, 0)
    account = Account(scorer, NOW)
    published = list(outputs(decoded.letters, [outcome], account))
    assert account.counts.total() == len(published)
    check_each_once(records, published, outcome)
    for output in published:
        check(output)
    after = {customer: encode_state(state) for customer, state in outcome.states.items()}
    assert all(decode_state(after[customer]) == state for customer, state in outcome.states.items())
    return Settled(published, account.counts, after)


def check_each_once(records: Sequence[Record], published: Sequence[Output], outcome: Outcome) -> None:
    """Every record has one output and every output one record."""
    answered = [decode_score(output.value or b"").id for output in published if output.topic == SCORES]
    dead = [(added(output).partition, added(output).offset) for output in published if output.topic == DEAD_LETTERS]
    sent_on = [(output.key, output.value, output.headers) for output in published if output.topic == EVENTS]
    astray = outcome.astray
    letters = {(str(r.partition), str(r.offset)): r for r in records}
    answers = {result_id(EVENTS, r.partition, r.offset): r for r in records}
    assert sent_on == [(record.key, record.value, record.headers) for record in astray]
    places = [letters[place] for place in dead] + [answers[number] for number in answered] + astray
    assert sorted(record.offset for record in places) == [record.offset for record in records]


def added(output: Output) -> DeadLetterHeaders:
    """What our headers of a dead letter say."""
    names = [str(field.encode_name) for field in msgspec.structs.fields(DeadLetterHeaders)]
    ours = (output.headers or [])[-len(names) :]
    assert [name for name, _ in ours] == names
    return msgspec.convert({name: (value or b"").decode() for name, value in ours}, DeadLetterHeaders)


def check(output: Output) -> None:
    """A dead letter says what is wrong; an answer is whole, and its numbers are finite."""
    assert len(output.key or b"") + len(output.value or b"") < LARGEST_OUTPUT_BYTES
    if output.topic == DEAD_LETTERS:
        assert len(added(output).error_message) <= 500
    if output.topic == SCORES:
        assert output.value is not None
        check_score(decode_score(output.value))


def check_score(message: ChurnScored) -> None:
    """A score has everything, and anything else only a reason; JSON's null hides no infinite number."""
    score = message.data
    scored = score.status == "scored"
    assert scored == (score.problem is None)
    assert scored == (score.probability is not None) == (score.band is not None) == (score.action is not None)
    assert scored or not score.reasons
    for reason in score.reasons:
        assert isfinite(reason.value)
        assert isfinite(reason.contribution)
    for value in score.features.values():
        check_value(value)


def check_value(feature: FeatureValue) -> None:
    """A value is there unless it is missing, an age is there exactly when something is known and never negative."""
    assert (feature.value is None) == (feature.freshness == "missing")
    assert feature.value is None or isfinite(feature.value)
    assert (feature.age_s is None) == (feature.freshness in {"missing", "default"})
    assert feature.age_s is None or feature.age_s >= 0
