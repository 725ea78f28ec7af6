"""The counts of a process within one hour, on their way to a summary. Whole batches are counted at once."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.artifact import Artifact
from model.reference import histogram
from model.vector import Features
from schemas.telemetry import FRESHNESS_ORDER, SCORE_EDGES, TIME_EDGES_S, ModelCounts, Telemetry

Kind = Literal["score", "api"]
Probabilities = Sequence[float | None]
_KINDS = len(FRESHNESS_ORDER)


class ModelTally:
    """What one version of the model answered."""

    def __init__(self, artifact: Artifact) -> None:
        self._names = artifact.manifest.features
        referred = artifact.reference.features
        # Where each feature is in the matrix; a model without a reference has no bins to count in.
        self._columns = [j for j, name in enumerate(self._names) if name in referred]
        self._edges = [referred[self._names[j]].edges for j in self._columns]
        self._features = [np.zeros(len(edges) + 2, np.int64) for edges in self._edges]
        self._freshness = np.zeros((len(self._names), _KINDS), np.int64)
        self._rows = np.arange(len(self._names)) * _KINDS
        self._scores = np.zeros(len(SCORE_EDGES) + 1, np.int64)
        self.actions: Counter[str] = Counter()

    def add_scores(self, probabilities: Probabilities) -> None:
        """Count the scores of answers; those that could not be computed have none."""
        self._scores += histogram(np.array(probabilities, np.float64), SCORE_EDGES)[:-1]

    def add_inputs(self, matrices: Sequence[Features]) -> None:
        """Count values by the reference's bins, and how fresh they were."""
        by_feature = np.concatenate([matrix.values.T for matrix in matrices], axis=1)
        freshness = np.concatenate([matrix.freshness for matrix in matrices])
        for counts, edges, j in zip(self._features, self._edges, self._columns, strict=True):
            np.add(counts, histogram(by_feature[j], edges), out=counts)
        places = (freshness + self._rows).ravel()
        self._freshness += np.bincount(places, minlength=self._freshness.size).reshape(self._freshness.shape)

    def counts(self) -> ModelCounts:
        """What was counted."""
        features = {
            self._names[j]: counts.tolist() for j, counts in zip(self._columns, self._features, strict=True)
            if counts.any()
        }  # fmt: skip
        return ModelCounts(self._scores.tolist(), dict(self.actions), features)

    def freshness(self) -> dict[str, NDArray[np.int64]]:
        """By feature, in FRESHNESS_ORDER."""
        return dict(zip(self._names, self._freshness, strict=True))


class Tally:
    """Everything that is counted from `began` on; the hour is that of `began`."""

    def __init__(self, began: datetime) -> None:
        self.began = self.ended = began
        self.counts: Counter[str] = Counter()
        self.types: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()
        self.problems: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self._latency = np.zeros(len(TIME_EDGES_S) + 1, np.int64)
        self._models: dict[str, ModelTally] = {}

    def reach(self, time: datetime) -> None:
        """Include `time`, which is within the hour."""
        self.began, self.ended = min(self.began, time), max(self.ended, time)

    def model(self, artifact: Artifact) -> ModelTally:
        """Where to count what this version of the model answers."""
        version = artifact.manifest.version
        if version not in self._models:
            self._models[version] = ModelTally(artifact)
        return self._models[version]

    def add_latency(self, seconds: float) -> None:
        """Count one answer that took so long."""
        self._latency[bisect_right(TIME_EDGES_S, seconds)] += 1

    def add_latencies(self, bins: NDArray[np.int64]) -> None:
        """Count answers by TIME_EDGES_S."""
        self._latency += bins

    def summary(self, process: str, kind: Kind, lag: int | None, partitions: int) -> Telemetry:
        """What is told of it."""
        freshness: dict[str, NDArray[np.int64]] = {}
        for model in self._models.values():
            for name, counts in model.freshness().items():
                freshness[name] = freshness.get(name, 0) + counts
        return Telemetry(
            process=process,
            kind=kind,
            began=self.began,
            ended=self.ended,
            counts=dict(self.counts),
            types=dict(self.types),
            requests=dict(self.requests),
            problems=dict(self.problems),
            errors=dict(self.errors),
            lag=lag,
            partitions=partitions,
            models={version: model.counts() for version, model in self._models.items()},
            latency=self._latency.tolist() if self._latency.any() else [],
            freshness={name: counts.tolist() for name, counts in freshness.items() if counts.any()},
        )
