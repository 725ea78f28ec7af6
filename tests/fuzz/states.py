"""States of made-up customers, and what everybody does with a state that was read from Redis."""

from datetime import timedelta
from functools import cache
from typing import Any

from model.declaration import DAY_MS
from model.fold import event_ms, fold
from model.scoring import Question
from model.state import LATEST_MS, CustomerState, DamagedStateError, decode_state, encode_state
from schemas import events
from schemas.cloudevents import to_ms
from tests.fuzz.model import NOW, SCORER
from tests.fuzz.settle import RULES, check
from workers.scoring.account import Account
from workers.scoring.batch import Accepted, fold_and_ask
from workers.scoring.outputs import outputs
from workers.scoring.records import Record

CUSTOMER = "1234"
PROFILE = events.Profile(age=40, age_group=2, tariff_plan="contract", status="active", voicemail_plan=True)
ONE_OF_EACH: tuple[tuple[type, object], ...] = (
    (events.CustomerRegistered, PROFILE),
    (events.CustomerUpdated, events.Profile(customer_value=1e9, tariff_plan="hologram")),
    (events.UsageRecorded, events.Usage(calls=10**9, call_seconds=3, messages=1)),
    (events.ChargeBilled, events.Charge(amount=12.57)),
    (events.ComplaintOpened, events.Complaint()),
    (events.CallStarted, events.Call()),
    (events.SubscriptionCancelled, events.Cancellation()),
    (events.SubscriptionRenewed, events.Renewal(months=12)),
)


def event(kind: type, data: object, days_ago: float, event_id: str) -> Any:
    """An event of the customer."""
    time = NOW - timedelta(days=days_ago)
    return kind(id=event_id, source="fuzz", subject=CUSTOMER, time=time, specversion="1.0", data=data)


@cache
def good_states() -> tuple[bytes, ...]:
    """States as they are stored: of a new customer, of one day, of many days."""
    histories: tuple[tuple[float, ...], ...] = (
        (),
        (0,),
        (0, 1, 2, 3),
        (600, 200, 100, 0),
        (40, 0, 20),
        tuple(range(90)),
    )
    return tuple(encode_state(state_of(days)) for days in histories)


def state_of(days: tuple[float, ...]) -> CustomerState:
    """The state after one of each type of event on each of `days` ago."""
    state = CustomerState.new()
    for day in days:
        for n, (kind, data) in enumerate(ONE_OF_EACH):
            one = event(kind, data, day, f"{day}/{n}")
            fold(state, one, event_ms(one))
    return state


# On the newest day of the states, late, and on a day of its own.
_PROBES = [
    event(kind, data, days_ago, f"probe {n}")
    for n, (kind, data, days_ago) in enumerate(
        [
            *((kind, data, 0.0) for kind, data in ONE_OF_EACH[1:4]),
            (events.CallStarted, events.Call(), 30.0),
            (events.UsageRecorded, events.Usage(calls=1), -0.75),
        ]
    )
]
_ARRIVED_MS = to_ms(NOW) + DAY_MS
_ACCEPTED = [Accepted(Record(0, n, CUSTOMER.encode(), b"", _ARRIVED_MS, []), one) for n, one in enumerate(_PROBES)]


def use_state(stored: bytes) -> str:
    """Decode a state, fold events into it and read it; whatever it is, it is damaged or gives whole answers."""
    try:
        state = decode_state(stored)
        later = SCORER.vectorizer.read(state, min(state.newest_ms + 3 * DAY_MS, LATEST_MS))
        outcome = fold_and_ask(_ACCEPTED, {CUSTOMER: state}, SCORER, RULES, 0)
        decode_state(encode_state(outcome.states[CUSTOMER]))
    except DamagedStateError:
        return "damaged"
    SCORER.answer([Question(later, "later")], NOW)
    for output in outputs([], [outcome], Account(SCORER, NOW)):
        check(output)
    return "accepted"
