"""What a process tells of its last seconds: a small summary on `churn.telemetry`, keyed by process.

Counts of two summaries add up to the counts of both: every histogram has fixed bins.
"""

import math
from typing import Annotated, Literal

import msgspec

from schemas.cloudevents import Time
from schemas.errors import decoded

Count = Annotated[int, msgspec.Meta(ge=0)]
Counts = dict[str, Count]
Bins = list[Count]

# Inner edges of the bins of scores: equally wide in log-odds, as differences among rare leavers are what matters.
SCORE_EDGES: tuple[float, ...] = tuple(1.0 / (1.0 + math.exp(-n / 5)) for n in range(-40, 41))
# Inner edges of the bins of times, from a millisecond to more than an hour, six to a factor of ten.
TIME_EDGES_S: tuple[float, ...] = tuple(10 ** (n / 6) for n in range(-18, 23))
FRESHNESS_ORDER = ("fresh", "stale", "default", "missing")


class ModelCounts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one version of the model answered.

    `scores` has a bin below, between and above the SCORE_EDGES. `features` has, for each feature, a bin below, between
    and above the edges of the model's own reference, then one for missing values. Empty where the model has none.
    """

    scores: Bins
    actions: Counts
    features: dict[str, Bins] = {}


class Telemetry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One process from `began` to `ended`, which are within one hour of the clock."""

    process: Annotated[str, msgspec.Meta(min_length=1, max_length=200, description="Unique for each start.")]
    kind: Literal["score", "api"]
    began: Time
    ended: Time
    counts: Counts = {}  # answers by status; of the stream also dead-letter and sent-on
    types: Counts = {}  # events by type
    requests: Counts = {}  # HTTP requests by status code
    problems: Counts = {}  # could-not-compute by code
    errors: Counts = {}  # dead letters by class, and troubles of the process itself by name
    lag: Count | None = None  # records not yet answered, as of `ended`
    partitions: Count = 0
    models: dict[str, ModelCounts] = {}  # by version
    latency: Bins = []  # by TIME_EDGES_S: from the broker's clock, or the request's headers, to the answer
    freshness: dict[str, Bins] = {}  # by feature, in FRESHNESS_ORDER


encode_telemetry = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Telemetry).decode


def decode_telemetry(value: bytes | None) -> Telemetry:
    """One summary from the bytes of a record's value; raises `InvalidRecordError`, whatever the bytes are."""
    return decoded(_decode, value)
