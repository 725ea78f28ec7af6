"""Customer events, one struct a type; the type is the past tense of what happened.

Unknown fields are ignored and every field of `data` has a default, so that an upstream application may be newer or
older than the workers.
"""

from collections.abc import Callable
from typing import Annotated, get_args

import msgspec

from schemas.cloudevents import CloudEvent
from schemas.errors import decoded

Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Amount = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Word = Annotated[str, msgspec.Meta(max_length=64)]
Text = Annotated[str, msgspec.Meta(max_length=2000)]


class Data(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What an event says beyond its envelope."""


class Profile(Data, frozen=True):
    """Attributes of a customer; one that is left out stays as it was."""

    age: Annotated[float, msgspec.Meta(ge=0, le=150, description="Years.")] | None = None
    age_group: Annotated[int, msgspec.Meta(ge=1, le=5, description="1 youngest to 5 oldest.")] | None = None
    tariff_plan: Annotated[str, msgspec.Meta(max_length=64, examples=["pay_as_you_go", "contract"])] | None = None
    status: Annotated[str, msgspec.Meta(max_length=64, examples=["active", "inactive"])] | None = None
    customer_value: Annotated[float, msgspec.Meta(ge=0, le=1e9, description="As the CRM computes it.")] | None = None
    international_plan: bool | None = None
    voicemail_plan: bool | None = None


class Usage(Data, frozen=True):
    """What a customer used since the usage record before."""

    calls: Count = 0
    call_seconds: Count = 0
    call_failures: Count = 0
    messages: Count = 0
    new_numbers: Annotated[int, msgspec.Meta(ge=0, le=10**9, description="Numbers called for the first time.")] = 0
    abroad_calls: Count = 0
    abroad_seconds: Count = 0
    voicemails: Count = 0


class Charge(Data, frozen=True):
    """A bill."""

    amount: Amount = 0.0


class Complaint(Data, frozen=True):
    """A complaint; the text is for people and is not read by the model."""

    text: Text = ""


class Call(Data, frozen=True):
    """A call of the customer to the call center."""

    reason: Word = ""


class Cancellation(Data, frozen=True):
    """The end of a subscription."""

    reason: Word = ""


class Renewal(Data, frozen=True):
    """A subscription that goes on."""

    months: Count = 0


class CustomerRegistered(CloudEvent, frozen=True, kw_only=True, gc=False, tag="customer.registered"):
    """A customer joined; `time` is when. It may be published again, with the same time."""

    data: Profile


class CustomerUpdated(CloudEvent, frozen=True, kw_only=True, gc=False, tag="customer.updated"):
    """Attributes of a customer changed."""

    data: Profile


class UsageRecorded(CloudEvent, frozen=True, kw_only=True, gc=False, tag="usage.recorded"):
    """A customer's usage of a period that ended at `time`."""

    data: Usage


class ChargeBilled(CloudEvent, frozen=True, kw_only=True, gc=False, tag="charge.billed"):
    """A customer was billed."""

    data: Charge


class ComplaintOpened(CloudEvent, frozen=True, kw_only=True, gc=False, tag="complaint.opened"):
    """A customer complained."""

    data: Complaint


class CallStarted(CloudEvent, frozen=True, kw_only=True, gc=False, tag="call.started"):
    """A customer calls the call center."""

    data: Call


class SubscriptionCancelled(CloudEvent, frozen=True, kw_only=True, gc=False, tag="subscription.cancelled"):
    """A customer gave notice."""

    data: Cancellation


class SubscriptionRenewed(CloudEvent, frozen=True, kw_only=True, gc=False, tag="subscription.renewed"):
    """A customer renewed."""

    data: Renewal


Event = (
    CustomerRegistered
    | CustomerUpdated
    | UsageRecorded
    | ChargeBilled
    | ComplaintOpened
    | CallStarted
    | SubscriptionCancelled
    | SubscriptionRenewed
)
EVENT_TYPES: tuple[type[CloudEvent], ...] = get_args(Event)

_decode: Callable[[bytes], Event] = msgspec.json.Decoder(Event).decode
encode = msgspec.json.Encoder().encode


def decode_event(value: bytes | None) -> Event:
    """One event from the bytes of a record's value; raises `InvalidRecordError`, whatever the bytes are."""
    return decoded(_decode, value)
