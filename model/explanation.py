"""Why a score is what it is: every feature's part, and what one feature would have to be for another band."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.artifact import FeatureCurve
from model.decision import BANDS
from model.declaration import Feature
from model.scoring import Scorer
from model.vector import given
from schemas.scores import Band, Score

STEPS = 200  # the fewest in which a curve is searched between its first and its last knot
FRACTIONAL = {"months", "money"}  # what these count may be between two whole numbers; half a call is nothing to say


class FeaturePart(NamedTuple):
    """What a feature adds to the log-odds."""

    feature: Feature
    value: float
    contribution: float


class BandChange(NamedTuple):
    """The value of one feature nearest to its own with which the score is in `band`, all else as it is."""

    feature: Feature
    value: float
    needed: float
    band: Band


def parts(scorer: Scorer, score: Score) -> list[FeaturePart]:
    """Every feature's part in `score`, which `scorer` made, the strongest first; empty without a probability."""
    if score.probability is None:
        return []
    values = {name: cell.value for name, cell in score.features.items() if cell.value is not None}
    (contributions,) = scorer.evaluate(given(scorer.features, [values]).values).contributions.tolist()
    found = [FeaturePart(f, values[f.name], c) for f, c in zip(scorer.features, contributions, strict=True)]
    return sorted(found, key=lambda part: -abs(part.contribution))


def changes(scorer: Scorer, score: Score) -> list[BandChange]:
    """For every feature that alone can do it, what it would have to be for the band next to the score's own.

    Better bands come first, and in each the feature that has to move least, as a share of what its curve spans.
    """
    if score.probability is None or score.band is None:
        return []
    logit = scorer.artifact.baseline + sum(part.contribution for part in parts(scorer, score))
    found: list[tuple[bool, float, BandChange]] = []
    for part in parts(scorer, score):
        curve = scorer.artifact.curves[scorer.features.index(part.feature)]
        for band, low, high in _neighbours(score.band):
            least, most = (low - logit + part.contribution, high - logit + part.contribution)
            needed = _nearest(curve, part, least, most)
            if needed is not None:
                span = curve.knots[-1] - curve.knots[0]
                found.append(
                    (low >= logit, abs(needed - part.value) / span, BandChange(part.feature, part.value, needed, band))
                )
    return [change for *_, change in sorted(found, key=lambda item: item[:2])]


def _neighbours(band: Band) -> Iterator[tuple[Band, float, float]]:
    """The bands next to `band`, and the log-odds between which a score is in them."""
    names = [name for _, name in BANDS]
    cuts = [-math.inf, *[math.log(cut / (1 - cut)) for cut, _ in BANDS[1:]], math.inf]
    here = names.index(band)
    for there in (here - 1, here + 1):
        if 0 <= there < len(names):
            yield names[there], cuts[there], cuts[there + 1]


def _nearest(curve: FeatureCurve, part: FeaturePart, least: float, most: float) -> float | None:
    """The value nearest to the part's own at which the curve is in [least, most), of some hundred; None without one."""
    grid = _sayable(curve, part.feature)
    heights = curve.at(grid)
    fitting = grid[(heights >= least) & (heights < most)]
    if not len(fitting):
        return None
    return float(fitting[np.abs(fitting - part.value).argmin()])


def _sayable(curve: FeatureCurve, feature: Feature) -> NDArray[np.float64]:
    """Values over the whole curve that are round enough to be said: multiples of 1000, 10, 1 or 0.1, for example."""
    if feature.categories:
        return np.arange(len(feature.categories), dtype=np.float64)
    first, last = max(curve.knots[0], feature.low), min(curve.knots[-1], feature.high)
    power = math.floor(math.log10((curve.knots[-1] - curve.knots[0]) / STEPS))
    if feature.unit not in FRACTIONAL:
        power = max(power, 0)
    step = 10.0**power
    # Divided where the step is a fraction: 3 / 10 is 0.3, and 3 * 0.1 is a little more.
    numbers = np.arange(math.ceil(first / step), math.floor(last / step) + 1, dtype=np.float64)
    return numbers / 10.0**-power if power < 0 else numbers * step
