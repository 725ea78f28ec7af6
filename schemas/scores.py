"""The answer for one event: a churn score with its reasons, or why there is none."""

import hashlib
import uuid
from typing import Annotated, Literal

import msgspec

from schemas.cloudevents import CloudEvent, EventId, Time

Status = Literal["scored", "could-not-compute"]
Band = Literal["low", "medium", "high"]
Action = Literal["none", "offer-discount", "hand-to-retention"]
Freshness = Literal["fresh", "stale", "default", "missing"]
ProblemCode = Literal["unknown-customer", "feature-missing", "feature-stale", "feature-out-of-range", "event-in-future"]


class Answer(msgspec.Struct, frozen=True, gc=False):
    """A part of an answer."""


class Reason(Answer, frozen=True, gc=False):
    """One feature's part in the score."""

    feature: str
    value: float
    contribution: Annotated[
        float, msgspec.Meta(description="Log-odds added to the average customer's; above 0 is worse.")
    ]
    text: Annotated[str, msgspec.Meta(description="A sentence that an agent can say to the customer.")]


class FeatureValue(Answer, frozen=True, gc=False):
    """What the model read for one feature."""

    value: float | None
    age_s: Annotated[int, msgspec.Meta(ge=0, description="Seconds since the newest event behind the value.")] | None
    freshness: Freshness


class ModelRef(Answer, frozen=True, gc=False):
    """The model that answered."""

    name: str
    version: str


class Problem(Answer, frozen=True, gc=False):
    """Why no score could be computed."""

    code: ProblemCode
    detail: str


class Score(Answer, frozen=True, gc=False, kw_only=True):
    """The answer; `probability`, `band` and `action` are null exactly when `status` is `could-not-compute`."""

    status: Status
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] | None
    band: Band | None
    action: Action | None
    reasons: Annotated[list[Reason], msgspec.Meta(max_length=4)]
    features: dict[str, FeatureValue]
    flags: Annotated[list[str], msgspec.Meta(description="Features to be wary of: stale, defaulted or missing.")]
    model: ModelRef
    event_id: EventId
    as_of: Annotated[Time, msgspec.Meta(description="The moment the features are of: the newest event's time.")]
    scored_at: Time
    problem: Problem | None = None


class ChurnScored(CloudEvent, frozen=True, kw_only=True, gc=False, tag="churn.scored"):
    """One answer for one event; `id` is the UUIDv5 of the event's topic, partition and offset."""

    data: Score


_encoder = msgspec.json.Encoder()
encode = _encoder.encode
encode_into = _encoder.encode_into  # into a buffer that is used again: a third quicker
decode_score = msgspec.json.Decoder(ChurnScored).decode
_URL_NAMESPACE = uuid.NAMESPACE_URL.bytes
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def result_id(topic: str, partition: int, offset: int) -> str:
    """The id of the answer to one record: UUIDv5 of `kafka:<topic>/<partition>/<offset>` in the URL namespace.

    The same record always gets the same id, so a reader can drop repeats. RFC 9562, section 5.5; written out because
    `uuid.uuid5` takes three times as long.
    """
    name = f"kafka:{topic}/{partition}/{offset}".encode()
    digest = hashlib.sha1(_URL_NAMESPACE + name).hexdigest()  # noqa: S324 - the RFC says so
    variant = _VARIANTS[digest[16]]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"
