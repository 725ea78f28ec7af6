"""Metrics foretold from scores alone, compared with those of simulated outcomes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from model.monitoring.expected import expected
from schemas.status import Expected
from schemas.telemetry import SCORE_EDGES


@pytest.mark.parametrize(("mean", "spread"), [(-3.0, 1.5), (-4.0, 0.5), (0.0, 3.0), (-2.0, 0.3)])
def test_outcomes_turn_out_as_expected(mean: float, spread: float) -> None:
    """Where customers leave as the scores say, the metrics of 300,000 are those that were expected."""
    rng = np.random.default_rng(17)
    p = 1 / (1 + np.exp(-rng.normal(mean, spread, 300_000)))
    y = rng.random(len(p)) < p
    counts = np.bincount(np.searchsorted(SCORE_EDGES, p, side="right"), minlength=len(SCORE_EDGES) + 1)
    found = expected("v", counts.tolist())
    assert (found.version, found.scored) == ("v", len(p))
    assert found.churn_rate == pytest.approx(y.mean(), abs=0.003)
    assert found.log_loss == pytest.approx(log_loss(y, p), abs=0.005)
    assert found.brier == pytest.approx(brier_score_loss(y, p), abs=0.003)
    assert found.roc_auc == pytest.approx(roc_auc_score(y, p), abs=0.01)


def test_nothing_is_expected_of_nothing() -> None:
    """Without scores no metric can be told."""
    assert expected("v", [0] * (len(SCORE_EDGES) + 1)) == Expected("v", 0, None, None, None, None)


@given(st.lists(st.integers(0, 5) | st.integers(0, 2**63), min_size=82, max_size=82).filter(any))
def test_expectations_are_in_bounds(counts: list[int]) -> None:
    """Whatever the counts: a ranking no worse than chance, a rate between 0 and 1, losses no greater than chance's."""
    found = expected("v", counts)
    assert found.roc_auc is not None
    assert found.log_loss is not None
    assert found.brier is not None
    assert found.churn_rate is not None
    assert 0.5 - 1e-9 <= found.roc_auc <= 1
    assert 0 < found.churn_rate < 1
    assert 0 < found.log_loss <= math.log(2) + 1e-9
    assert 0 < found.brier <= 0.25 + 1e-9
    assert found.scored == pytest.approx(sum(counts))
