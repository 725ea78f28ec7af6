"""The features, declared once: the online fold, the training table and the documentation come from here."""

from collections.abc import Callable

from model.declaration import Feature, plural

WINDOW_DAYS = 270
_WHEN = "in the last 9 months"


def _usage(name: str, field: str, about: str, unit: str, says: Callable[[float], str]) -> Feature:
    return Feature(
        name=name, kind="sum", types=("usage.recorded",), field=field, window_days=WINDOW_DAYS, unit=unit,
        about=f"{about}, last {WINDOW_DAYS} days", says=lambda value: f"You {says(value)} {_WHEN}.",
        stale_after_days=45, policy="flag",
    )  # fmt: skip


def _count(name: str, kind: str, about: str, says: str) -> Feature:
    return Feature(
        name=name, kind="count", types=(kind,), window_days=WINDOW_DAYS, unit="events",
        about=f"{about}, last {WINDOW_DAYS} days",
        says=lambda value: f"You {says} {plural(value, 'time')} {_WHEN}." if value else f"You have not {says} {_WHEN}.",
    )  # fmt: skip


def _attribute(
    name: str, about: str, unit: str, says: Callable[[float], str], *, high: float, default: float,
    categories: tuple[str, ...] = (),
) -> Feature:  # fmt: skip
    return Feature(
        name=name, kind="latest", types=("customer.registered", "customer.updated"), field=name, unit=unit, about=about,
        says=says, high=high, default=default, categories=categories, policy="flag",
    )  # fmt: skip


def _has(plan: str) -> Callable[[float], str]:
    return lambda value: f"You have {'the' if value else 'no'} {plan}."


FEATURES: tuple[Feature, ...] = (
    Feature(
        name="tenure", kind="months_since", types=("customer.registered",), unit="months", high=600.0, default=None,
        about="time since the customer registered", policy="refuse",
        says=lambda value: f"You have been with us for {plural(round(value, 1), 'month')}.",
    ),
    Feature(
        name="spend", kind="sum", types=("charge.billed",), field="amount", window_days=WINDOW_DAYS, scale=100,
        unit="money", about=f"amount billed, last {WINDOW_DAYS} days", stale_after_days=120, policy="flag",
        says=lambda value: f"We billed you {value:,.2f} {_WHEN}.",
    ),
    _usage("calls", "calls", "calls made", "calls", lambda v: f"made {plural(v, 'call')}"),
    _usage("call_seconds", "call_seconds", "time on the phone", "seconds",
           lambda v: f"were on the phone for {plural(round(v / 60), 'minute')}"),
    _usage("call_failures", "call_failures", "calls that failed", "calls", lambda v: f"had {plural(v, 'failed call')}"),
    _usage("messages", "messages", "messages sent", "messages", lambda v: f"sent {plural(v, 'message')}"),
    _usage("numbers_called", "new_numbers", "different numbers called", "numbers",
           lambda v: f"called {plural(v, 'different number')}"),
    _usage("abroad_calls", "abroad_calls", "calls abroad", "calls",
           lambda v: f"made {plural(v, 'call')} abroad"),
    _usage("abroad_seconds", "abroad_seconds", "time on the phone abroad", "seconds",
           lambda v: f"were on the phone abroad for {plural(round(v / 60), 'minute')}"),
    _usage("voicemails", "voicemails", "voicemails", "messages", lambda v: f"had {plural(v, 'voicemail')}"),
    _count("complaints", "complaint.opened", "complaints", "complained"),
    _count("service_calls", "call.started", "calls to the call center", "called us"),
    _count("renewals", "subscription.renewed", "renewals", "renewed"),
    _count("cancellations", "subscription.cancelled", "notices given", "given notice"),
    Feature(
        name="days_since_usage", kind="days_since", types=("usage.recorded",), unit="days", high=36_500.0, default=0.0,
        about="time since the last usage record", policy="flag",
        says=lambda value: f"You last used your line {plural(round(value), 'day')} ago.",
    ),
    _attribute("age", "age", "years", lambda v: f"You are {v:g} years old.", high=150, default=30),
    _attribute("age_group", "age group, 1 youngest to 5 oldest", "group", lambda v: f"You are in age group {v:g}.",
               high=5, default=3),
    _attribute("tariff_plan", "tariff plan", "code", lambda v: f"You {'have a contract' if v else 'pay as you go'}.",
               high=1, default=0, categories=("pay_as_you_go", "contract")),
    _attribute("status", "whether the line is in use", "code", lambda v: f"Your line is {'in' if v else ''}active.",
               high=1, default=0, categories=("active", "inactive")),
    _attribute("customer_value", "value as the CRM computes it", "money",
               lambda v: f"Your customer value is {v:,.0f}.", high=1e9, default=0),
    _attribute("international_plan", "international plan", "yes or no", _has("international plan"), high=1, default=0),
    _attribute("voicemail_plan", "voicemail plan", "yes or no", _has("voicemail plan"), high=1, default=0),
)  # fmt: skip
