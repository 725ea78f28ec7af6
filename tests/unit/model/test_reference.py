"""The reference of a model: histograms of what it was trained on, that later values can be compared with."""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.artifact import ModelError, load, save
from model.reference import BINS, Reference, edges_of, histogram
from schemas.telemetry import SCORE_EDGES
from tests.unit.model.test_training import ARTIFACT, COLUMNS, INPUTS, PIPELINE, TABLE

_numbers = st.floats(-1e6, 1e6).map(lambda x: round(x, 2))


def test_training_keeps_the_histograms_of_its_table() -> None:
    """Each feature's and the scores' counts are numpy's of the training rows, with nobody missing."""
    inputs = TABLE.features.values[:, COLUMNS]
    assert list(ARTIFACT.reference.features) == list(INPUTS)
    for column, of_feature in zip(inputs.T, ARTIFACT.reference.features.values(), strict=True):
        expected, _ = np.histogram(column, [-np.inf, *of_feature.edges, np.inf])
        assert of_feature.counts == [*expected, 0]
    scores = PIPELINE.predict_proba(inputs)[:, 1]
    assert ARTIFACT.reference.scores == np.histogram(scores, [0, *SCORE_EDGES, 1])[0].tolist()


def test_values_of_few_kinds_have_a_bin_each() -> None:
    """The edges of an age group from 1 to 5 are between the groups; those of many values are deciles."""
    features = ARTIFACT.reference.features
    assert features["age_group"].edges == [1.5, 2.5, 3.5, 4.5]
    assert features["status"].edges == [0.5]
    assert len(features["tenure"].edges) == BINS - 1
    assert all(50 <= count <= 70 for count in features["tenure"].counts[:-1])


@given(st.lists(_numbers, min_size=2, max_size=200), _numbers, st.integers(0, 200))
def test_no_bin_is_empty_of_the_values_it_was_made_for(values: list[float], common: float, times: int) -> None:
    """However often a value repeats, the edges ascend, and every bin between them has some of the values."""
    column = np.array([*values, *[common] * times])
    edges = edges_of(column)
    assert edges == sorted(set(edges))
    assert len(edges) < BINS
    counts = histogram(column, edges)
    assert counts.sum() == len(column)
    assert (counts[:-1] > 0).all()
    assert len(edges) == 0 or len(np.unique(column)) > 1


def test_most_frequent_least_value_is_a_bin_of_its_own() -> None:
    """Of 95 in 100 who never complained the others can be told, although every decile is 0."""
    column = np.array([0.0] * 950 + list(np.linspace(1, 20, 50)))
    assert edges_of(column) == [1.0]
    assert histogram(column, [1.0]).tolist() == [950, 50, 0]


@given(st.lists(st.floats(allow_infinity=False)), st.lists(_numbers, unique=True, max_size=12).map(sorted))
def test_histogram_is_numpys_and_counts_what_is_missing(values: list[float], edges: list[float]) -> None:
    """A value on an edge is in the bin above it; NaN is in the last bin, and nothing else is."""
    known = np.array([value for value in values if not math.isnan(value)])
    expected, _ = np.histogram(known, [-np.inf, *edges, np.inf])
    found = histogram(np.array(values, np.float64), edges)
    assert found.tolist() == [*expected, len(values) - len(known)]


def test_model_that_was_saved_before_has_none(tmp_path: Path) -> None:
    """A file without a reference is loaded with an empty one."""
    folder = save(ARTIFACT, tmp_path)
    rewrite(folder, {name: value for name, value in parameters_of(folder).items() if name != "reference"})
    assert load(folder).reference == Reference()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tenure": {"edges": [1.0, 1.0], "counts": [0] * 4}}, "Expected finite ascending edges"),
        ({"tenure": {"edges": [1.0], "counts": [0] * 2}}, "Expected a count for each bin"),
        ({"tenure": {"edges": [1.0], "counts": [0, -1, 0]}}, "Expected `int` >= 0"),
        ({"tenure": {"edges": [1.0], "counts": [0, 10**30, 0]}}, "reference"),
        ({"horoscope": {"edges": [], "counts": [0, 0]}}, "its reference is of other features"),
    ],
)
def test_reference_that_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    """However right the hash, such a model is not loaded."""
    folder = save(ARTIFACT, tmp_path)
    parameters = parameters_of(folder)
    parameters["reference"]["features"] |= changes
    rewrite(folder, parameters)
    with pytest.raises(ModelError, match=message):
        load(folder)


def test_scores_in_other_bins_are_refused(tmp_path: Path) -> None:
    """They could not be compared with those that are counted."""
    folder = save(ARTIFACT, tmp_path)
    rewrite(folder, parameters_of(folder) | {"reference": {"scores": [1, 2]}})
    with pytest.raises(ModelError, match="Expected 82 bins of scores"):
        load(folder)


def parameters_of(folder: Path) -> Any:
    """The numbers of a saved model."""
    return json.loads((folder / "parameters.json").read_bytes())


def rewrite(folder: Path, parameters: Any) -> None:
    """Put other numbers into a saved model, with the right hash."""
    raw = json.dumps(parameters).encode()
    manifest = json.loads((folder / "manifest.json").read_bytes())
    (folder / "parameters.json").write_bytes(raw)
    (folder / "manifest.json").write_text(json.dumps(manifest | {"parameters_sha256": hashlib.sha256(raw).hexdigest()}))
