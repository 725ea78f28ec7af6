"""The waterfall: every part has its bar, bars are joined, and everything is within the chart."""

import math
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from model.features import FEATURES
from schemas.http import Explanation, Part
from tests.unit.model.test_scoring import answer, known
from workers.api.chart import APART, THINNEST, WIDTH, chance, waterfall

NAMES = [f.name for f in FEATURES]
(SCORE,) = answer(known())
unhurried = settings(deadline=None)  # the machine may be doing something else


def made_up(baseline: float, contributions: list[float]) -> Explanation:
    """An explanation with these parts."""
    parts = [Part(name, 1.0, by, "") for name, by in zip(NAMES, contributions, strict=False)]
    return Explanation("1", SCORE, baseline, parts, [])


@unhurried
@given(st.floats(-10, 10), st.lists(st.floats(-10, 10), min_size=1, max_size=len(NAMES)))
def test_bars_are_the_parts(baseline: float, contributions: list[float]) -> None:
    """Each bar is as long as its part on one scale, begins where the one before ends, and the last mark is the sum."""
    chart = waterfall(made_up(baseline, contributions))
    first, *bars, last = chart.rows
    assert [bar.kind for bar in bars] == ["up" if by > 0 else "down" for by in contributions]
    totals = [baseline]
    for by in contributions:
        totals.append(totals[-1] + by)
    places = [first.x, *[bar.end for bar in bars]]
    scale = (chart.zones[1].width) / (math.log(0.5 / 0.5) - math.log(0.2 / 0.8))  # percent for 1 of log-odds
    for (before, after), by, bar in zip(pairwise(places), contributions, bars, strict=True):
        assert math.isclose(after - before, by * scale, abs_tol=0.02 * (1 + abs(by)))
        assert bar.width == pytest.approx(max(abs(after - before), THINNEST), abs=0.01)
        assert bar.x == min(before, after)
    assert last.x == places[-1]
    assert all(0 <= row.x <= WIDTH for row in chart.rows)
    assert chart.text.endswith(".")


@unhurried
@given(st.floats(-1e5, 1e5), st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=len(NAMES)))
@example(-3846.0, [8621.0])  # 5,000 is at the very end of the scale
def test_scales_are_legible(baseline: float, contributions: list[float]) -> None:
    """Whatever the numbers, there are some labels, not too many, that do not run into each other."""
    chart = waterfall(made_up(baseline, contributions))
    assert 2 <= len(chart.numbers) <= 9
    for ticks in (chart.chances, chart.numbers):
        places = sorted(tick.x for tick in ticks)
        assert all(after - before >= APART for before, after in pairwise(places))
        assert all(0 <= place <= WIDTH for place in places)
    assert [zone.band for zone in chart.zones] == ["low", "medium", "high"]
    assert sum(zone.width for zone in chart.zones) == pytest.approx(WIDTH, abs=0.01)


@unhurried
@given(st.floats(-1e6, 1e6))
def test_probabilities_of_log_odds(logit: float) -> None:
    """From any log-odds there is a probability, without overflow."""
    assert 0 <= chance(logit) <= 1
    assert chance(-logit) == pytest.approx(1 - chance(logit))
    if abs(logit) < 15:
        assert chance(logit) == pytest.approx(1 / (1 + math.exp(-logit)))
