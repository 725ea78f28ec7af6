"""Bands and actions."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model.decision import Costs, Decision

COSTS = Costs(500, 40, 2, 30, 0.3, 0.5)


def test_bands_begin_where_they_say() -> None:
    """A probability on a border belongs to the band above it."""
    bands = Decision(COSTS).bands(np.array([0.0, 0.1999, 0.2, 0.4999, 0.5, 1.0]))
    assert bands == ["low", "low", "medium", "medium", "high", "high"]


def test_actions_follow_the_expected_profit() -> None:
    """Nothing for those who stay anyway, a discount in between, the retention team where it pays."""
    decision = Decision(COSTS)
    assert decision.actions(np.array([0.01, 0.3, 0.9])) == ["none", "offer-discount", "hand-to-retention"]
    # 0.3 * 0.3 * (500 - 40) - 0.7 * 40 - 2
    assert decision.profits(np.array([0.3]))[1, 0] == np.float64(0.3 * 0.3 * 460 - 0.7 * 40 - 2)


@given(
    st.builds(Costs, *[st.floats(0, 1e6)] * 4, *[st.floats(0, 1)] * 2),
    st.floats(0, 1),
)
def test_chosen_action_is_never_worse_than_another(costs: Costs, probability: float) -> None:
    """Whatever the costs, the chosen action earns the most, and doing nothing earns nothing."""
    decision = Decision(costs)
    profits = decision.profits(np.array([probability]))[:, 0]
    action = decision.actions(np.array([probability]))[0]
    assert profits[["none", "offer-discount", "hand-to-retention"].index(action)] == profits.max() >= 0
