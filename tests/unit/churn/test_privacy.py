"""Which errors may be quoted."""

import importlib
import os

import pytest

from churn.privacy import CLEAN, is_ours, told, traceback_of
from schemas.errors import InvalidRecordError
from workers.api.problems import ApiError
from workers.scoring.transactions import LogError


@pytest.mark.parametrize("name", sorted(CLEAN))
def test_what_is_clean_exists(name: str) -> None:
    """Each is an error of ours, by its real name."""
    module, _, kind = name.rpartition(".")
    error = getattr(importlib.import_module(module), kind)
    assert issubclass(error, Exception)
    assert told(error("said")) == f"{name}: said"
    assert is_ours(module)


OTHERS = (InvalidRecordError("invalid", "canary"), ApiError("invalid", "canary"), KeyError("canary"), OSError("canary"))


@pytest.mark.parametrize("error", OTHERS, ids=lambda error: type(error).__name__)
def test_what_may_quote_what_was_sent_is_not_told(error: Exception) -> None:
    """Of those that name a value that came from outside, and of everything of others, only the type is told."""
    assert "canary" not in told(error)
    assert type(error).__qualname__ in told(error)


def test_traceback_has_the_errors_that_led_to_it() -> None:
    """All of a chain, the first of them first, and none of what was suppressed."""
    try:
        try:
            vars(os)["canary"]
        except KeyError as first:
            raise LogError("Kafka: away") from first
    except LogError as error:
        whole = traceback_of(error)
        error.__cause__, error.__suppress_context__ = None, True
        alone = traceback_of(error)
    assert whole.index("KeyError: (message withheld)") < whole.index("LogError: Kafka: away")
    assert whole.count("in test_traceback_has_the_errors_that_led_to_it") == 2
    assert "KeyError" not in alone


def test_errors_that_led_to_each_other_end() -> None:
    """A circle is gone through once."""
    one, other = ValueError(), KeyError()
    one.__cause__, other.__cause__ = other, one
    assert traceback_of(one).splitlines() == ["KeyError: (message withheld)", "ValueError: (message withheld)"]
