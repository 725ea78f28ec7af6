"""Findings: what several come to together, and numbers for people."""

import pytest

from churn.doctor.finding import Finding, counted, failed, ok, size, skipped, together, warning
from workers.spans import duration


def test_together_is_as_bad_as_the_worst() -> None:
    """The worst status counts; what is said and what is to be done is said once."""
    assert together([ok("a"), ok("b")]) == ok("a; b")
    assert together([ok("a"), skipped("b")]).status == "skipped"
    found = together([warning("a", "do x"), failed("b", "do y"), ok("a"), warning("c", "do x")])
    assert found == Finding("failed", "a; b; c", ("do x", "do y"))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_199, "120 min"), (7_200, "2 h"), (86_400 * 1_500, "1,500 days")],
)
def test_duration_is_in_the_unit_that_suits_it(seconds: float, text: str) -> None:
    """A unit is used from two of it on."""
    assert duration(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0.0 KiB"), (2**20, "1.0 MiB"), (3 * 2**29, "1.5 GiB")])
def test_size_is_in_the_unit_that_suits_it(count: int, text: str) -> None:
    """A unit is used from one of it on."""
    assert size(count) == text


def test_one_is_not_several() -> None:
    """A count has the noun that goes with it."""
    assert (counted(1, "copy", "copies"), counted(2_000, "copy", "copies")) == ("1 copy", "2,000 copies")
    assert counted(0, "worker") == "0 workers"
