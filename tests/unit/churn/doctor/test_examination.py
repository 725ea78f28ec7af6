"""The examination goes on whatever a check does."""

import threading
from collections.abc import Callable

import pytest

from churn.doctor.examination import CHECKS, bounded
from churn.doctor.finding import Finding, ok
from churn.errors import UserError
from workers.admin import BrokerError


def raising(error: Exception) -> Callable[[], Finding]:
    """A check that ends with `error`."""

    def check() -> Finding:
        raise error

    return check


def test_check_that_ends_is_heard() -> None:
    """What a check finds is what is found."""
    assert bounded(lambda: ok("fine")) == ok("fine")


@pytest.mark.parametrize("error", [UserError("no way"), BrokerError("no way")])
def test_declared_error_is_a_failure(error: Exception) -> None:
    """An error of ours is told in its own words."""
    found = bounded(raising(error))
    assert (found.status, found.found) == ("failed", "no way")


def test_unexpected_error_is_a_failure() -> None:
    """An error that nobody thought of is told by its name, and is no traceback."""
    found = bounded(raising(UnicodeError("label too long")))
    assert (found.status, found.found) == ("failed", "the check itself failed: UnicodeError: label too long")


def test_check_that_hangs_is_left() -> None:
    """A check that does not end is a failure when its time is over."""
    released = threading.Event()
    found = bounded(lambda: ok(str(released.wait(10))), limit_s=0.05)
    released.set()
    assert (found.status, found.found) == ("failed", "no answer within 0.05 s")


def test_checks_need_only_earlier_ones() -> None:
    """What a check needs is made before it."""
    names = list(CHECKS)
    for name, check in CHECKS.items():
        assert set(check.needs) <= set(names[: names.index(name)])
