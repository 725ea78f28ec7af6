"""Fail points do nothing unless a test has armed them."""

import pytest

from workers import failpoints
from workers.failpoints import POINTS, Point, reach


@pytest.mark.parametrize("point", POINTS)
def test_only_what_is_armed_happens(point: Point, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reaching a point does what was armed there, and at any other nothing."""
    reached: list[Point] = []
    monkeypatch.setitem(failpoints.armed, point, lambda: reached.append(point))
    for one in POINTS:
        reach(one)
    assert reached == [point]
