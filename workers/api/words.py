"""Numbers and codes as people say them."""

from datetime import datetime

from model.declaration import Feature, plural
from schemas.scores import Action, Freshness, ProblemCode

ACTIONS: dict[Action, str] = {
    "none": "Nothing needs to be done.",
    "offer-discount": "Offer a discount.",
    "hand-to-retention": "Hand over to the retention team.",
}
FRESHNESS: dict[Freshness, str] = {
    "fresh": "",
    "stale": "old",
    "default": "assumed",
    "missing": "not known",
}
PROBLEMS: dict[ProblemCode, str] = {
    "unknown-customer": "Check the id. The registration of a new customer may still be on its way.",
    "feature-missing": "The model cannot do without it. It has to come from an application that publishes events.",
    "feature-stale": "The model needs it fresh. It has to come from an application that publishes events.",
    "feature-out-of-range": "Either the value is wrong, or the model was never meant for such a customer.",
    "event-in-future": "The clock of an application that publishes events is wrong.",
}
MINUS = "\N{MINUS SIGN}"
_SPANS = ((365.25 * 86_400, "year", 1), (86_400, "day", 0), (3_600, "hour", 0), (60, "minute", 0))


def percent(probability: float) -> str:
    """`39%`, `3.7%`, `0.16%`; what is nearly impossible or certain is not said to be so."""
    if probability < 0.0001:
        return "less than 0.01%"
    if probability > 0.999:
        return "more than 99.9%"
    return f"{100 * probability:.{2 if probability < 0.01 else 1 if probability < 0.1 or probability > 0.99 else 0}f}%"


def signed(number: float) -> str:
    """`+5.67`, `−2.47`; in log-odds more than two decimals say nothing."""
    return f"{number:+.2f}".replace("-", MINUS)


def name(feature: str) -> str:
    """`call_seconds` is `call seconds`."""
    return feature.replace("_", " ")


def amount(feature: Feature, value: float) -> str:
    """A value with its unit: `14 messages`, `1 call`, `contract`, `yes`."""
    if feature.categories:
        known = value.is_integer() and 0 <= value < len(feature.categories)
        return name(feature.categories[int(value)]) if known else f"{value:g}"
    if feature.unit == "yes or no":
        return "yes" if value else "no"
    if feature.unit == "money":
        return f"{value:,.2f}"
    if feature.unit == "group":
        return f"group {value:g}"
    # Of a hundredth of a month or a call nobody speaks.
    return plural(round(value, 2), feature.unit.removesuffix("s"), feature.unit)


def ago(seconds: int) -> str:
    """`3 days ago`, in the largest unit of which there is one."""
    for length, unit, digits in _SPANS:
        if seconds >= length:
            return f"{plural(round(seconds / length, digits), unit)} ago"
    return "just now"


def moment(time: datetime) -> str:
    """`25 November 2026, 01:40 UTC`; of times with an offset of 0."""
    return f"{time.day} {time:%B %Y, %H:%M} UTC"


def sentence(text: str) -> str:
    """The text with a capital letter and an end."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?", "…")) else ".")
