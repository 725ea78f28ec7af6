"""The training table: for each customer and moment, the features as they were then, by the code that serves them."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.fold import event_ms, fold
from model.state import CustomerState
from model.vector import Features, Vectorizer
from schemas.events import Event


class Moment(NamedTuple):
    """A customer, the moment to look at (milliseconds since 1970), and whether the customer left after it."""

    customer: str
    at_ms: int
    churned: bool


class TrainingTable(NamedTuple):
    """n rows: who, the features of shape (n, k), and the labels of shape (n,), 1 for those who left."""

    customers: list[str]
    features: Features
    churned: NDArray[np.int8]


def training_table(events: Iterable[Event], moments: Iterable[Moment], vectorizer: Vectorizer) -> TrainingTable:
    """Fold each customer's events up to its moment, in the order given, and read the features off the state.

    A customer has one moment; a moment whose customer has no event by then is left out.
    """
    wanted: Mapping[str, Moment] = {moment.customer: moment for moment in moments}
    states: dict[str, CustomerState] = {}
    for event in events:
        moment = wanted.get(event.subject)
        if moment is not None and (time_ms := event_ms(event)) <= moment.at_ms:
            fold(states.setdefault(event.subject, CustomerState.new()), event, time_ms)
    readings = [vectorizer.read(state, wanted[customer].at_ms) for customer, state in states.items()]
    churned = np.array([wanted[customer].churned for customer in states], dtype=np.int8)
    return TrainingTable(list(states), vectorizer.matrix(readings), churned)
