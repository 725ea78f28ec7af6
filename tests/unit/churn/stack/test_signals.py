"""Signals around code that must clean up."""

import signal
import threading

import pytest

from churn.stack.signals import ending_runs_finally, undisturbed


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
