"""Signals around code that must clean up."""

import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from churn.stack.signals import ending_runs_finally, undisturbed


@pytest.fixture(autouse=True)
def default_handlers() -> Iterator[None]:
    """Begin without the handlers of a stack that runs for the whole session, and put them back."""
    defaults: dict[signal.Signals, Any] = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    before = {number: signal.signal(number, handler) for number, handler in defaults.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_becomes_an_exit(number: signal.Signals) -> None:
    """SIGTERM and SIGHUP raise SystemExit with the shell's exit code, and the handler is gone afterwards."""
    with pytest.raises(SystemExit) as raised, ending_runs_finally():
        signal.raise_signal(number)
    assert raised.value.code == 128 + number
    assert signal.getsignal(number) is signal.SIG_DFL


def test_the_callers_own_handler_stays() -> None:
    """A caller that handles SIGTERM itself keeps doing so."""
    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
    try:
        with ending_runs_finally():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [signal.SIGTERM]


def test_cleaning_up_is_not_disturbed() -> None:
    """An impatient second Ctrl-C, SIGTERM or SIGHUP does not stop cleaning up."""
    with undisturbed():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.raise_signal(number)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_another_thread_may_use_both() -> None:
    """Outside the main thread, where Python sets no handlers, both do nothing."""

    def use() -> None:
        with ending_runs_finally(), undisturbed():
            done.append(signal.getsignal(signal.SIGTERM))

    done: list[object] = []
    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert done == [signal.SIG_DFL]
