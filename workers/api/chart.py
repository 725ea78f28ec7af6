"""The waterfall chart: from the average customer, feature by feature, to the score. Places only; the SVG is a template.

Across, places are shares of the width in percent, so that the chart fits any screen and its text keeps its size.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from model.decision import BANDS
from model.features import FEATURES
from schemas.http import Explanation
from workers.api.words import MINUS, amount, name, percent, signed

TOP, ROW, BOTTOM = 30, 42, 40  # pixels: the scale of probabilities, a bar with its label, the scale of log-odds
WIDTH = 86.0  # percent; the numbers are to the right of it
PADDING = 0.08  # of the span, on either side, for the labels of the scales
APART = 9.0  # percent; labels of a scale that are nearer to each other run together on a phone
THINNEST = 0.4  # percent; what is thinner cannot be seen
_CHANCES = (0.5, 0.2, 0.01, 0.99, 0.9, 0.05, 0.001, 0.999, 0.0001, 0.9999)  # those that matter most come first
_BY_NAME = {f.name: f for f in FEATURES}


class Row(NamedTuple):
    """A line of the chart: a bar, or the mark of a total, which is as wide as nothing."""

    label: str
    said: str
    number: str
    kind: str
    y: int
    x: float
    width: float
    end: float


class Tick(NamedTuple):
    """A label of a scale."""

    label: str
    x: float


class Zone(NamedTuple):
    """Where the scores of a band are."""

    band: str
    x: float
    width: float


class Chart(NamedTuple):
    """Everything that is drawn, and the same in a sentence."""

    rows: list[Row]
    chances: list[Tick]
    numbers: list[Tick]
    zones: list[Zone]
    height: int
    text: str


class _Scale:
    """From log-odds to places."""

    def __init__(self, numbers: Iterable[float]) -> None:
        found = [*numbers]
        padding = (max(found) - min(found)) * PADDING
        self.first, self.last = min(found) - padding, max(found) + padding

    def at(self, number: float) -> float:
        return round(WIDTH * (number - self.first) / (self.last - self.first), 3)


def waterfall(explanation: Explanation) -> Chart:
    """The chart of an explanation that has parts."""
    parts = explanation.parts
    totals = [*accumulate((part.contribution for part in parts), initial=explanation.baseline)]
    cuts = [_logit(cut) for cut, _ in BANDS[1:]]
    scale = _Scale([*totals, *cuts])
    middle = [
        Row(name(part.feature), amount(_BY_NAME[part.feature], part.value), signed(part.contribution),
            "up" if part.contribution > 0 else "down", TOP + ROW * i,
            min(scale.at(before), scale.at(after)), max(abs(scale.at(after) - scale.at(before)), THINNEST),
            scale.at(after))
        for i, (part, (before, after)) in enumerate(zip(parts, pairwise(totals), strict=True), start=1)
    ]  # fmt: skip
    first = _total("average customer", totals[0], 0, scale)
    last = _total("this customer", totals[-1], len(middle) + 1, scale)
    edges = [0.0, *map(scale.at, cuts), WIDTH]
    return Chart(
        [first, *middle, last],
        [*_apart((f"{100 * p:g}%", scale.at(_logit(p))) for p in _CHANCES)],
        [*_apart((f"{number:,.10g}".replace("-", MINUS), scale.at(number)) for number in _round(scale))],
        [Zone(band, a, round(b - a, 3)) for (_, band), (a, b) in zip(BANDS, pairwise(edges), strict=True)],
        TOP + ROW * (len(middle) + 2) + BOTTOM,
        f"From the average customer at {first.number} log-odds, a probability of {first.said}, the features lead to "
        f"{last.number}, a probability of {last.said}: {_listed(middle)}.",
    )  # fmt: skip


def _total(label: str, number: float, row: int, scale: _Scale) -> Row:
    place = scale.at(number)
    return Row(label, percent(chance(number)), signed(number), "total", TOP + ROW * row, place, 0.0, place)


def chance(logit: float) -> float:
    """The probability of log-odds; without overflow on either side."""
    return 0.5 * (1 + math.tanh(logit / 2))


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def _apart(ticks: Iterable[tuple[str, float]]) -> Iterator[Tick]:
    """Those that fit, the first ones first."""
    taken: list[float] = []
    for label, x in ticks:
        if 4 <= x <= WIDTH - 4 and all(abs(x - other) >= APART for other in taken):
            taken.append(x)
            yield Tick(label, x)


def _round(scale: _Scale) -> Sequence[float]:
    """Some five round numbers on the scale, and at least two that are not at its very ends."""
    rough = (scale.last - scale.first) / 5.5  # the step is up to 2.5 times as long
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= rough)
    return [i * step for i in range(math.ceil(scale.first / step), math.floor(scale.last / step) + 1)]


def _listed(rows: Sequence[Row]) -> str:
    return ", ".join(f"{row.label} {row.number}" for row in rows)
