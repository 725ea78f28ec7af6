"""The records to publish for a batch: answers, dead letters, and events to be sent on to their customer's partition."""

from collections.abc import Iterator, Sequence
from itertools import chain

from schemas.deadletters import dead_letter_headers
from schemas.scores import ChurnScored, encode_into, result_id
from schemas.topics import DEAD_LETTERS, EVENTS, SCORES
from workers.scoring.account import Account
from workers.scoring.batch import Letter, Outcome
from workers.scoring.records import LARGEST_BYTES
from workers.scoring.transactions import Output

SOURCE = "churn-score"
# Answers are made this many at a time: their arrays fit into the cache (7.5 us each, 11 with 1,000), and the first are
# on their way to the broker while the last are made.
CHUNK = 250
LARGEST_KEY_BYTES = 10_000  # of a dead letter for a record that is too large


def outputs(letters: Sequence[Letter], outcomes: Sequence[Outcome], account: Account) -> Iterator[Output]:
    """Make the records one after the other, and note in `account` what they come to."""
    account.letters = letters
    for letter in letters:
        account.counts["dead-letter"] += 1
        yield _dead_letter(letter)
    for record in chain.from_iterable(outcome.astray for outcome in outcomes):
        account.counts["sent-on"] += 1
        yield Output(EVENTS, record.key, record.value, record.headers)
    asked = account.asked = list(chain.from_iterable(outcome.asked for outcome in outcomes))
    questions = list(chain.from_iterable(outcome.questions for outcome in outcomes))
    buffer, now, scorer = bytearray(), account.now, account.scorer
    for start in range(0, len(asked), CHUNK):
        some = questions[start : start + CHUNK]
        matrix = scorer.vectorizer.matrix([question.reading for question in some])
        answers = scorer.answer_given(matrix, some, now)
        account.add(matrix, answers)
        for item, answer in zip(asked[start : start + CHUNK], answers, strict=True):
            record = item.record
            message = ChurnScored(
                id=result_id(EVENTS, record.partition, record.offset),
                source=SOURCE,
                subject=item.event.subject,
                time=now,
                specversion="1.0",
                data=answer,
            )
            encode_into(message, buffer)
            yield Output(SCORES, record.key, bytes(buffer))


def _dead_letter(letter: Letter) -> Output:
    """The record as it came; of one that is too large only the beginning is kept, and no headers."""
    record, error = letter
    key, value, headers = record.key, record.value, record.headers
    if error.error_class == "too-large":
        key, value, headers = key and key[:LARGEST_KEY_BYTES], value and value[:LARGEST_BYTES], []
    added = dead_letter_headers(headers, error, topic=EVENTS, partition=record.partition, offset=record.offset)
    return Output(DEAD_LETTERS, key, value, added)
