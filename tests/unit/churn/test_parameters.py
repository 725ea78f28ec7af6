"""What users write on the command line."""

import click
import pytest

from churn.parameters import Moment, PlaceName
from schemas.deadletters import Place


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("1970-01-02", 86_400_000),
        ("1970-01-01T01:00", 3_600_000),
        ("1970-01-01 00:00:01.5", 1500),
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T01:00:00+01:00", 0),
        ("0001-01-01T00:00:00+23:59", -62_135_683_140_000),
    ],
)
def test_moment(text: str, time_ms: int) -> None:
    """A time without a zone is of UTC."""
    assert Moment().convert(text, None, None) == time_ms


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-01-31T25:00", "17:00"])
def test_no_moment(text: str) -> None:
    """What is no time is quoted, with what was expected."""
    with pytest.raises(click.BadParameter, match=f"{text!r} is no time, expected for instance 2026-01-31 or "):
        Moment().convert(text, None, None)


def test_place_name() -> None:
    """A place is taken by its name, and what is none is quoted."""
    assert PlaceName().convert("0:17", None, None) == Place(0, 17)
    with pytest.raises(click.BadParameter, match="'17' is no place, expected PARTITION:OFFSET"):
        PlaceName().convert("17", None, None)
