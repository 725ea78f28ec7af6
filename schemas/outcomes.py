"""What became of a customer: the labels that accuracy is measured with and models are trained on."""

from typing import Annotated

import msgspec

from schemas.cloudevents import CloudEvent
from schemas.errors import decoded


class Outcome(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Whether the customer had left at the end of the horizon."""

    churned: bool
    horizon_days: Annotated[int, msgspec.Meta(ge=1, le=3650, description="Days from the moment judged to `time`.")]


class OutcomeObserved(CloudEvent, frozen=True, kw_only=True, gc=False, tag="outcome.observed"):
    """An outcome, observed at `time`."""

    data: Outcome


_decode = msgspec.json.Decoder(OutcomeObserved).decode
encode = msgspec.json.Encoder().encode


def decode_outcome(value: bytes | None) -> OutcomeObserved:
    """One outcome from the bytes of a record's value; raises `InvalidRecordError`, whatever the bytes are."""
    return decoded(_decode, value)
