"""Score a batch of customers: one pass over numpy arrays, then one answer each."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache, partial
from itertools import compress
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from model.artifact import Artifact
from model.curves import Curves
from model.decision import Decision
from model.declaration import Feature
from model.vector import FRESH, FRESHNESS, MISSING, Features, Reading, Vectorizer
from schemas.cloudevents import from_ms
from schemas.scores import FeatureValue, ModelRef, Problem, Reason, Score

_FRESHNESS = np.array(FRESHNESS, dtype=object)
MOST_REASONS = 4
MOST_EXPONENT = 700.0  # `exp` overflows at 710
LEAST_CONTRIBUTION = 0.1  # log-odds; what moves a score by less is not given as a reason


class Question(msgspec.Struct, frozen=True, gc=False):
    """What is asked: a reading of a customer's state, the event that asks, and a problem already found with it."""

    reading: Reading
    event_id: str
    problem: Problem | None = None


class Scored(NamedTuple):
    """Arrays of a batch: probabilities (n,), and contributions (n, k) in log-odds."""

    probabilities: NDArray[np.float64]
    contributions: NDArray[np.float64]


class Scorer:
    """A model ready to answer; holds no state, so that one serves any number of batches."""

    def __init__(self, artifact: Artifact, decision: Decision, features: Sequence[Feature] | None = None) -> None:
        """Serve `artifact`; `features` are its inputs, if not as they are declared."""
        self.artifact = artifact
        self.features = features or artifact.features
        self.vectorizer = Vectorizer(self.features)
        self._curves = Curves(artifact.curves)
        self._decision = decision
        self._model = ModelRef(artifact.manifest.name, artifact.manifest.version)
        self._names = tuple(f.name for f in self.features)
        # Most values come again and again, and a sentence takes longer to make than everything else of a reason.
        self._says = [lru_cache(10_000)(f.says) for f in self.features]
        self._low = np.array([f.low for f in self.features])
        self._high = np.array([f.high for f in self.features])
        self._refuse = np.array([f.policy == "refuse" for f in self.features])
        self._flag = np.array([f.policy == "flag" for f in self.features])

    def evaluate(self, values: NDArray[np.float64]) -> Scored:
        """The numbers of a batch of shape (n, k): baseline + contributions = logit of the probability."""
        contributions = self._curves.at(values)
        logits = self.artifact.baseline + contributions.sum(axis=1)
        odds_against = np.exp(np.minimum(-logits, MOST_EXPONENT))
        return Scored(1.0 / (1.0 + odds_against), contributions)

    def outside(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of the values of a batch no customer can have."""
        return (values < self._low) | (values > self._high)

    def answer(self, questions: Sequence[Question], scored_at: datetime) -> list[Score]:
        """One answer for each question, in order; what cannot be scored gets `could-not-compute` and the reason."""
        if not questions:
            return []
        matrix = self.vectorizer.matrix([question.reading for question in questions])
        return self.answer_given(matrix, questions, scored_at)

    def answer_given(self, matrix: Features, questions: Sequence[Question], scored_at: datetime) -> list[Score]:
        """The same for features that are known already; of a reading only the moment is used."""
        scored = self.evaluate(matrix.values)
        problems = self._problems(matrix)
        features = feature_values(self._names, matrix)
        flags = self._flags(matrix)
        probabilities = scored.probabilities.tolist()
        bands, actions = self._decision.bands(scored.probabilities), self._decision.actions(scored.probabilities)
        reasons = self._reasons(matrix.values, scored.contributions)
        answers = []
        for i, question in enumerate(questions):
            problem = question.problem or problems.get(i)
            answers.append(
                Score(
                    status="could-not-compute" if problem else "scored",
                    probability=None if problem else probabilities[i],
                    band=None if problem else bands[i],
                    action=None if problem else actions[i],
                    reasons=[] if problem else reasons[i],
                    features=features[i],
                    flags=flags.get(i, []),
                    model=self._model,
                    event_id=question.event_id,
                    as_of=from_ms(int(question.reading[0])),
                    scored_at=scored_at,
                    problem=problem,
                )
            )
        return answers

    def _problems(self, features: Features) -> dict[int, Problem]:
        """The rows that cannot be scored, and why; the first feature at fault is named."""
        values, freshness = features.values, features.freshness
        refused = ((freshness != FRESH) & self._refuse) | self.outside(values)
        problems = {}
        for i in np.flatnonzero(refused.any(axis=1)).tolist():
            j = int(refused[i].argmax())
            problems[i] = _problem(self.features[j], float(values[i, j]), int(freshness[i, j]))
        return problems

    def _flags(self, features: Features) -> dict[int, list[str]]:
        """The rows with features to be wary of, and their names."""
        flagged = (features.freshness != FRESH) & self._flag
        return {i: list(compress(self._names, flagged[i])) for i in np.flatnonzero(flagged.any(axis=1)).tolist()}

    def _reasons(self, every: NDArray[np.float64], parts: NDArray[np.float64]) -> list[list[Reason]]:
        """Up to four features that moved each score most, the strongest first."""
        order = np.argsort(-np.abs(parts), axis=1)[:, :MOST_REASONS]
        contributions = np.take_along_axis(parts, order, axis=1)
        values = np.nan_to_num(np.take_along_axis(every, order, axis=1))
        counts = (np.abs(contributions) >= LEAST_CONTRIBUTION).sum(axis=1).tolist()
        names, says, width = self._names, self._says, order.shape[1]
        flat = [
            Reason(names[j], value, contribution, says[j](value))
            for j, value, contribution in zip(
                order.ravel().tolist(), values.ravel().tolist(), contributions.ravel().tolist(), strict=True
            )
        ]
        return [flat[i * width : i * width + count] for i, count in enumerate(counts)]


def feature_values(names: Sequence[str], features: Features) -> list[dict[str, FeatureValue]]:
    """What was read of each customer, by the feature's name."""
    values = _or_none(features.values, np.isnan(features.values))
    ages_s = _or_none(features.ages_ms // 1000, features.ages_ms < 0)
    freshness = _FRESHNESS[features.freshness].ravel().tolist()
    cells = map(FeatureValue, values, ages_s, freshness)
    rows = zip(*[cells] * len(names), strict=True)  # the same iterator as often as a row is wide
    return list(map(dict, map(partial(zip, names), rows)))


def _or_none(values: NDArray[Any], absent: NDArray[np.bool_]) -> list[Any]:
    """The values, row after row, with None where they are absent."""
    if not absent.any():
        return values.ravel().tolist()
    result = values.astype(object)
    result[absent] = None
    return result.ravel().tolist()


def _problem(feature: Feature, value: float, freshness: int) -> Problem:
    name = feature.name
    if freshness == MISSING:
        if feature.types == ("customer.registered",):
            return Problem("unknown-customer", "no customer.registered event is known for this customer")
        return Problem("feature-missing", f"{name} is not known for this customer")
    if not feature.low <= value <= feature.high:
        return Problem("feature-out-of-range", f"{name} is {value:g}, expected {feature.low:g} to {feature.high:g}")
    return Problem("feature-stale", f"{name} is {FRESHNESS[freshness]}")
