"""How good scores should turn out, before any outcome is known: confidence-based performance estimation."""

from collections.abc import Sequence

import numpy as np
from scipy.special import entr, logit

from schemas.status import Expected
from schemas.telemetry import SCORE_EDGES

_INNER = logit(np.array(SCORE_EDGES))
_HALF_BIN = (_INNER[1] - _INNER[0]) / 2
# A score stands for its bin: the middle in log-odds. The first and last have no middle; they begin as if they had one.
_SCORES = 1 / (1 + np.exp(-np.append(_INNER - _HALF_BIN, _INNER[-1] + _HALF_BIN)))


def expected(version: str, scores: Sequence[int]) -> Expected:
    """What the metrics should be if a customer with score p leaves with probability p; `scores` are by SCORE_EDGES.

    The expectation of each metric over the outcomes that the scores themselves foretell, as in NannyML's CBPE
    (nannyml.readthedocs.io, "Estimation of Performance of the Monitored Model"). It says what follows from who is
    scored; it cannot see that the scores have stopped being right. ROC AUC is the ratio of two expectations, and off by
    0.01 or more where nearly all scores share two bins.
    """
    weights = np.asarray(scores, dtype=float)
    scored = weights.sum()
    if not scored:
        return Expected(version, 0, None, None, None, None)
    leaving, staying = weights * _SCORES, weights * (1 - _SCORES)
    ahead = staying.cumsum() - staying / 2  # within a bin one in two is
    return Expected(
        version=version,
        scored=int(scored),
        roc_auc=float(leaving @ ahead / (leaving.sum() * staying.sum())),
        log_loss=float(weights @ (entr(_SCORES) + entr(1 - _SCORES)) / scored),
        brier=float(weights @ (_SCORES * (1 - _SCORES)) / scored),
        churn_rate=float(leaving.sum() / scored),
    )
