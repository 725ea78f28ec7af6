"""What to do about a probability: the action with the highest expected profit, and the band that people read."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.scores import Action, Band

BANDS: tuple[tuple[float, Band], ...] = ((0.0, "low"), (0.2, "medium"), (0.5, "high"))


class Costs(NamedTuple):
    """Money, all in one currency; the shares of leavers who stay are between 0 and 1."""

    customer_value: float
    offer_cost: float
    contact_cost: float
    retention_cost: float
    offer_success: float
    retention_success: float


class Decision:
    """Bands and actions of probabilities.

    An action that costs `contact` for everybody and `offer` for those who take it, and keeps a share `success` of the
    leavers, is expected to earn, at churn probability p,

        p * success * (customer_value - offer) - (1 - p) * offer - contact

    since customers who would have stayed take the offer as well. This is the profit of Neslin, Gupta, Kamakura, Lu and
    Mason, "Defection Detection", Journal of Marketing Research 43 (2006), for one customer.
    """

    def __init__(self, costs: Costs) -> None:
        self._value = costs.customer_value
        self._actions: tuple[tuple[Action, float, float, float], ...] = (
            ("none", 0.0, 0.0, 0.0),
            ("offer-discount", costs.contact_cost, costs.offer_cost, costs.offer_success),
            ("hand-to-retention", costs.retention_cost, costs.offer_cost, costs.retention_success),
        )
        self._cuts = np.array([cut for cut, _ in BANDS[1:]])

    def profits(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """The expected profit of every action for probabilities of shape (n,): shape (actions, n)."""
        p = probabilities
        return np.array(
            [
                p * success * (self._value - offer) - (1 - p) * offer * (name != "none") - contact
                for name, contact, offer, success in self._actions
            ]
        )

    def actions(self, probabilities: NDArray[np.float64]) -> list[Action]:
        """The most profitable action for each probability; the cheaper one when two earn the same."""
        return [self._actions[i][0] for i in self.profits(probabilities).argmax(axis=0).tolist()]

    def bands(self, probabilities: NDArray[np.float64]) -> list[Band]:
        """The band of each probability."""
        return [BANDS[i][1] for i in np.searchsorted(self._cuts, probabilities, side="right").tolist()]
