"""Help for the tests of mappings: the features that training reads off a customer's events."""

from collections.abc import Iterable

from model.features import FEATURES
from model.table import Moment, training_table
from model.vector import FRESH, Vectorizer
from producers.history import OBSERVED_AT
from schemas.cloudevents import to_ms
from schemas.events import Event

NAMES = tuple(feature.name for feature in FEATURES)


def features(events: Iterable[Event], customers: Iterable[str]) -> dict[str, dict[str, float]]:
    """By customer and name, the value of every feature as of the moment that the rows are of."""
    moments = [Moment(customer, to_ms(OBSERVED_AT), churned=False) for customer in customers]
    table = training_table(events, moments, Vectorizer(FEATURES))
    values = table.features.values.tolist()
    return {customer: dict(zip(NAMES, row, strict=True)) for customer, row in zip(table.customers, values, strict=True)}


def fresh(events: Iterable[Event], customer: str) -> set[str]:
    """The names of the features that are known and not too old."""
    moment = Moment(customer, to_ms(OBSERVED_AT), churned=False)
    (row,) = training_table(events, [moment], Vectorizer(FEATURES)).features.freshness.tolist()
    return {name for name, freshness in zip(NAMES, row, strict=True) if freshness == FRESH}
