"""Numbers and codes as people say them."""

from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.features import FEATURES
from schemas.scores import Action, Freshness, ProblemCode
from workers.api import words

BY_NAME = {f.name: f for f in FEATURES}


@pytest.mark.parametrize(
    ("probability", "said"),
    [(0.0, "less than 0.01%"), (0.00157, "0.16%"), (0.0373, "3.7%"), (0.3926, "39%"), (0.5, "50%"), (0.9949, "99.5%"),
     (0.99995, "more than 99.9%"), (1.0, "more than 99.9%")],
)  # fmt: skip
def test_probabilities(probability: float, said: str) -> None:
    """As many digits as tell something, and never 0% or 100%."""
    assert words.percent(probability) == said


@settings(deadline=None)
@given(st.floats(0, 1))
def test_no_probability_is_certain(probability: float) -> None:
    """Nothing is said to be impossible or certain."""
    assert words.percent(probability) not in {"0%", "0.0%", "0.00%", "100%", "100.0%"}


@pytest.mark.parametrize(
    ("feature", "value", "said"),
    [
        ("calls", 1.0, "1 call"),
        ("calls", 1234.0, "1,234 calls"),
        ("tenure", 43.8647, "43.86 months"),
        ("spend", 1257.0, "1,257.00"),
        ("age_group", 2.0, "group 2"),
        ("voicemail_plan", 1.0, "yes"),
        ("voicemail_plan", 0.0, "no"),
        ("tariff_plan", 0.0, "pay as you go"),
        ("tariff_plan", 7.0, "7"),
        ("tariff_plan", 0.5, "0.5"),
    ],
)
def test_values_have_their_unit(feature: str, value: float, said: str) -> None:
    """Numbers with a unit, codes by name; a code without a name stays a number."""
    assert words.amount(BY_NAME[feature], value) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "just now"), (60, "1 minute ago"), (7_300, "2 hours ago"), (86_400, "1 day ago"), (12_793_210, "148 days ago"),
     (115_355_410, "3.7 years ago")],
)  # fmt: skip
def test_ages(seconds: int, said: str) -> None:
    """In the largest unit of which there is one."""
    assert words.ago(seconds) == said


def test_numbers_moments_and_sentences() -> None:
    """A minus is a minus, a month has a name, and a sentence begins and ends as one."""
    assert (words.signed(5.674), words.signed(-0.5)) == ("+5.67", "−0.50")
    assert words.moment(datetime(2026, 3, 1, 9, 5, tzinfo=UTC)) == "1 March 2026, 09:05 UTC"
    assert words.sentence("age: 20 years") == "Age: 20 years."
    assert words.sentence("Done.") == "Done."


def test_every_code_has_words() -> None:
    """No action, freshness or problem is without a sentence."""
    assert set(words.ACTIONS) == set(get_args(Action))
    assert set(words.FRESHNESS) == set(get_args(Freshness))
    assert set(words.PROBLEMS) == set(get_args(ProblemCode))
