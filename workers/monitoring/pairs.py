"""A score and what became of the customer: how they are joined, and kept."""

from collections.abc import Iterable

import msgspec
import numpy as np

from model.declaration import DAY_MS
from model.monitoring.accuracy import Pairs
from schemas.cloudevents import to_ms
from schemas.outcomes import OutcomeObserved
from workers.monitoring.index import ScoreIndex


class Pair(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An outcome with the last score that was given by the moment it judges."""

    probability: float
    churned: bool
    acted: bool
    judged_ms: int  # the moment that the score is of
    outcome_ms: int
    version: str
    segments: tuple[str, ...]


encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Pair).decode
WITHOUT_SCORE = b"-"  # kept of an outcome of a customer who had no score by then


def join(outcome: OutcomeObserved, index: ScoreIndex) -> bytes:
    """The pair that `outcome` makes, as it is kept; `WITHOUT_SCORE` where there is no score to judge."""
    outcome_ms = to_ms(outcome.time)  # as a number: the moment judged may be before the first year
    score = index.last(outcome.subject, outcome_ms - outcome.data.horizon_days * DAY_MS)
    if score is None:
        return WITHOUT_SCORE
    return encode(
        Pair(
            score.probability, outcome.data.churned, score.acted, score.as_of_ms, outcome_ms, score.version,
            score.segments,
        )
    )  # fmt: skip


def columns(kept: Iterable[bytes]) -> Pairs:
    """What is kept, in columns; outcomes without a score are left out."""
    pairs = [_decode(value) for value in kept if value != WITHOUT_SCORE]
    return Pairs(
        np.array([pair.probability for pair in pairs], dtype=np.float64),
        np.array([pair.churned for pair in pairs], dtype=np.bool_),
        np.array([pair.acted for pair in pairs], dtype=np.bool_),
        np.array([pair.judged_ms for pair in pairs], dtype=np.int64),
        np.array([pair.outcome_ms for pair in pairs], dtype=np.int64),
        [pair.version for pair in pairs],
        [pair.segments for pair in pairs],
    )
