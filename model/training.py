"""Fit the default model: cubic splines of each feature, then a logistic regression. Additive, so every score is a sum.

No class is weighted: the probabilities are read as probabilities, and weighting would ruin their calibration.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime

import numpy as np
import sklearn
from numpy.typing import NDArray
from scipy.interpolate import BSpline, PPoly
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler

from model.artifact import Artifact, FeatureCurve, Manifest, feature_hash
from model.declaration import Feature
from model.metrics import metrics
from model.reference import reference_of
from model.table import TrainingTable
from model.vector import MISSING

KNOTS = 8
MINIMUM_OF_A_CLASS = 20


class CannotTrainError(Exception):
    """The table cannot be trained on; the message says why."""


def train(
    table: TrainingTable, features: Sequence[Feature], *, data_name: str, trained_at: datetime
) -> tuple[Artifact, Pipeline]:
    """Fit on `table`; returns the artifact in plain numbers and the scikit-learn pipeline that it equals.

    A row with a missing feature is left out, and so is a feature that never varies. The strength of the penalty is
    chosen by five-fold cross-validation on log-loss. Raises `CannotTrainError`.
    """
    complete = ~(table.features.freshness == MISSING).any(axis=1)
    values, churned = table.features.values[complete], table.churned[complete]
    leavers = int(churned.sum())
    if min(leavers, len(churned) - leavers) < MINIMUM_OF_A_CLASS:
        raise CannotTrainError(
            f"{leavers} of {len(churned)} customers left; at least {MINIMUM_OF_A_CLASS} who left "
            f"and as many who stayed are needed"
        )
    used = [j for j in range(len(features)) if np.ptp(values[:, j]) > 0]
    if not used:
        raise CannotTrainError("no feature varies between the customers")
    inputs = values[:, used]
    pipeline = _fit(inputs, churned)
    curves, baseline = _curves(pipeline, inputs)
    probabilities = pipeline.predict_proba(inputs)[:, 1]
    digest = hashlib.sha256(inputs.tobytes() + churned.tobytes()).hexdigest()
    manifest = Manifest(
        name="churn-splines",
        version=f"{trained_at:%Y%m%dT%H%M%SZ}-{digest[:6]}",
        trained_at=trained_at,
        features=[features[j].name for j in used],
        left_out=[f.name for j, f in enumerate(features) if j not in used],
        feature_hash=feature_hash([features[j] for j in used]),
        sklearn_version=sklearn.__version__,
        data_name=data_name,
        data_sha256=digest,
        customers=len(churned),
        leavers=leavers,
        penalty_c=float(pipeline[-1].C),
        training_metrics=metrics(churned, probabilities),
    )
    reference = reference_of(manifest.features, inputs, probabilities)
    return Artifact(manifest, baseline, curves, reference), pipeline


def _fit(inputs: NDArray[np.float64], churned: NDArray[np.int8]) -> Pipeline:
    splines = ColumnTransformer([(str(j), _spline(inputs[:, j]), [j]) for j in range(inputs.shape[1])])
    search = GridSearchCV(
        make_pipeline(splines, StandardScaler(), LogisticRegression(max_iter=5000)),
        {"logisticregression__C": [0.1, 0.3, 1.0]},
        scoring="neg_log_loss",
        cv=StratifiedKFold(5, shuffle=True, random_state=0),
    )
    best: Pipeline = search.fit(inputs, churned).best_estimator_
    return best


def _spline(column: NDArray[np.float64]) -> SplineTransformer:
    """Knots at quantiles; a feature with few values gets fewer knots, and one with two a straight line.

    Beyond what was seen in training the curve stays level, so a strange value cannot make a strange score.
    """
    knots = np.unique(np.quantile(column, np.linspace(0, 1, KNOTS)))
    if len(knots) < KNOTS:
        knots = np.unique(column)[
            np.linspace(0, len(np.unique(column)) - 1, min(KNOTS, len(np.unique(column)))).astype(int)
        ]
    return SplineTransformer(
        knots=knots[:, None], degree=min(3, len(knots) - 1), extrapolation="constant", include_bias=False
    )


def _curves(pipeline: Pipeline, inputs: NDArray[np.float64]) -> tuple[list[FeatureCurve], float]:
    """Each feature's part of the logit as a piecewise polynomial whose mean over the training customers is 0.

    Returns the curves and the baseline, which is the mean logit of the training customers.
    """
    splines, scaler, regression = pipeline
    weights = regression.coef_[0] / scaler.scale_
    baseline = float(regression.intercept_[0] - scaler.mean_ @ weights)
    curves, start = [], 0
    for j, (_, spline, _) in enumerate(splines.transformers_):
        basis = spline.bsplines_[0]
        count = spline.n_features_out_
        # The basis has one function more than the transformer puts out (include_bias=False drops the last).
        part = BSpline(basis.t, np.append(weights[start : start + count], 0.0), basis.k)
        start += count
        low, high = basis.t[basis.k], basis.t[-basis.k - 1]
        polynomial = PPoly.from_spline(part)
        inside = (polynomial.x[:-1] >= low) & (polynomial.x[:-1] < high) & (np.diff(polynomial.x) > 0)
        curve = FeatureCurve(
            knots=[*polynomial.x[:-1][inside].tolist(), float(high)],
            coefficients=polynomial.c[:, inside].T.tolist(),
            center=0.0,
        )
        center = float(curve.at(inputs[:, j]).mean())
        curves.append(FeatureCurve(curve.knots, curve.coefficients, center))
        baseline += center
    return curves, baseline
