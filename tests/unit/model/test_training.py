"""Training: the artifact in plain numbers equals the scikit-learn pipeline, and bad tables are refused."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.features import FEATURES
from model.metrics import expected_calibration_error, metrics
from model.table import TrainingTable
from model.training import CannotTrainError, train
from model.vector import DEFAULT, FRESH, MISSING, Features

INPUTS = ("tenure", "spend", "complaints", "age_group", "status")
COLUMNS = [[f.name for f in FEATURES].index(name) for name in INPUTS]


def made_up_table(customers: int = 600) -> TrainingTable:
    """Customers whose chance to leave depends on five features, some with few values; the others are constant."""
    random = np.random.default_rng(1)
    values = np.zeros((customers, len(FEATURES)))
    values[:, COLUMNS] = np.column_stack(
        [
            random.uniform(0, 60, customers),
            random.gamma(2, 30, customers),
            random.integers(0, 2, customers),
            random.integers(1, 6, customers),
            random.integers(0, 2, customers),
        ]
    )
    logits = np.sin(values[:, COLUMNS[0]] / 10) + 2 * values[:, COLUMNS[2]] + values[:, COLUMNS[4]] - 2
    churned = (random.random(customers) < 1 / (1 + np.exp(-logits))).astype(np.int8)
    freshness = np.full(values.shape, FRESH, dtype=np.int8)
    ages = np.zeros(values.shape, dtype=np.int64)
    return TrainingTable([str(n) for n in range(customers)], Features(values, ages, freshness), churned)


TABLE = made_up_table()
ARTIFACT, PIPELINE = train(TABLE, FEATURES, data_name="made up", trained_at=datetime(2026, 11, 24, tzinfo=UTC))


def logits_of(inputs: np.ndarray) -> np.ndarray:
    """The artifact's logits for inputs of shape (n, 5)."""
    parts = [curve.at(inputs[:, j]) for j, curve in enumerate(ARTIFACT.curves)]
    return np.asarray(ARTIFACT.baseline + sum(parts))


def test_manifest_says_what_was_trained_on_what() -> None:
    """The features that vary are used, the others are named, and the counts are those of the table."""
    manifest = ARTIFACT.manifest
    assert tuple(manifest.features) == INPUTS
    assert set(manifest.features) | set(manifest.left_out) == {f.name for f in FEATURES}
    assert (manifest.customers, manifest.leavers) == (600, int(TABLE.churned.sum()))
    assert manifest.training_metrics.roc_auc > 0.7


@given(
    st.lists(
        st.tuples(
            st.floats(-1e9, 1e9), st.floats(0, 500), st.floats(-3, 3), st.floats(-10, 10), st.sampled_from([0.0, 1.0])
        ),
        min_size=1,
        max_size=20,
    )
)
def test_artifact_equals_scikit_learn_everywhere(rows: list[tuple[float, ...]]) -> None:
    """Inside and outside of what was seen in training, the probabilities are scikit-learn's."""
    inputs = np.array(rows)
    ours = 1 / (1 + np.exp(-logits_of(inputs)))
    np.testing.assert_allclose(ours, PIPELINE.predict_proba(inputs)[:, 1], rtol=0, atol=1e-9)


def test_contributions_are_centered() -> None:
    """The mean contribution of a feature over the training customers is nothing, so the baseline is the mean logit."""
    inputs = TABLE.features.values[:, COLUMNS]
    for j, curve in enumerate(ARTIFACT.curves):
        assert abs(curve.at(inputs[:, j]).mean()) < 1e-9
    assert abs(logits_of(inputs).mean() - ARTIFACT.baseline) < 1e-9


def test_rows_with_a_missing_feature_are_left_out() -> None:
    """A row that could not be scored is not trained on, and a defaulted one is."""
    freshness = TABLE.features.freshness.copy()
    freshness[:100, 0] = MISSING
    freshness[100:200, 1] = DEFAULT
    table = TABLE._replace(features=TABLE.features._replace(freshness=freshness))
    artifact, _ = train(table, FEATURES, data_name="made up", trained_at=datetime(2026, 11, 24, tzinfo=UTC))
    assert artifact.manifest.customers == 500


@pytest.mark.parametrize("leavers", [0, 19, 590, 600])
def test_too_few_of_a_class_is_refused(leavers: int) -> None:
    """Labels of one class, or nearly, give a clear refusal."""
    churned = (np.arange(600) < leavers).astype(np.int8)
    with pytest.raises(CannotTrainError, match=f"{leavers} of 600 customers left"):
        train(TABLE._replace(churned=churned), FEATURES, data_name="", trained_at=datetime.now(UTC))


def test_features_that_never_vary_are_refused() -> None:
    """A table in which all customers are alike cannot be trained on."""
    features = TABLE.features._replace(values=np.zeros_like(TABLE.features.values))
    with pytest.raises(CannotTrainError, match="no feature varies"):
        train(TABLE._replace(features=features), FEATURES, data_name="", trained_at=datetime.now(UTC))


def test_metrics_of_a_perfectly_calibrated_model() -> None:
    """Probabilities that come true have no calibration error, and others have as much as they are off."""
    churned = np.array([1, 0, 0, 0, 1, 1, 1, 0])
    assert expected_calibration_error(churned, [0.25] * 4 + [0.75] * 4) == 0
    assert expected_calibration_error([0, 0], [1.0, 1.0]) == 1
    assert metrics(churned, np.linspace(1, 0, 8)).customers == 8
