"""Places in the scoring worker where a test makes it fail; in every other process nothing happens there."""

from collections.abc import Callable
from typing import Literal, get_args

Point = Literal["offsets", "outputs", "commit", "committed", "write", "written"]
POINTS: tuple[Point, ...] = get_args(Point)

armed: dict[Point, Callable[[], None]] = {}


def reach(point: Point) -> None:
    """Do what a test wants to happen just before the step called `point`."""
    if point in armed:
        armed[point]()
