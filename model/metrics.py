"""How good probabilities are: ranking, log-loss, Brier score and calibration."""

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from model.artifact import Metrics


def metrics(churned: ArrayLike, probabilities: ArrayLike) -> Metrics:
    """Compare probabilities of shape (n,) with what happened, 1 for leaving; both classes must be there."""
    y, p = np.asarray(churned, dtype=float), np.asarray(probabilities, dtype=float)
    return Metrics(
        customers=len(y),
        churn_rate=float(y.mean()),
        roc_auc=float(roc_auc_score(y, p)),
        log_loss=float(log_loss(y, p)),
        brier=float(brier_score_loss(y, p)),
        ece=expected_calibration_error(y, p),
    )


def expected_calibration_error(churned: ArrayLike, probabilities: ArrayLike, bins: int = 10) -> float:
    """Mean distance between predicted and observed rate over equal-width bins, weighted by their size.

    Naeini, Cooper and Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015.
    """
    y, p = np.asarray(churned, dtype=float), np.asarray(probabilities, dtype=float)
    bin_of = np.minimum((p * bins).astype(int), bins - 1)
    gaps = np.bincount(bin_of, p - y, bins)
    return float(np.abs(gaps).sum() / len(y))
