"""Signals around code that must clean up after itself."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_ENDING = (signal.SIGTERM, signal.SIGHUP)  # by default these end Python without any `finally`


@contextmanager
def ending_runs_finally() -> Iterator[None]:
    """Within it SIGTERM, and SIGHUP of a closed terminal, raise `SystemExit`, as Ctrl-C raises `KeyboardInterrupt`.

    A signal that the caller has a handler for, or ignores, is left to the caller.
    """
    with _handlers({number: _exit for number in _ENDING if signal.getsignal(number) is signal.SIG_DFL}):
        yield


@contextmanager
def undisturbed() -> Iterator[None]:
    """Within it Ctrl-C, SIGTERM and SIGHUP are ignored; for cleaning up that takes seconds, not more."""
    with _handlers(dict.fromkeys((signal.SIGINT, *_ENDING), signal.SIG_IGN)):
        yield


@contextmanager
def signals_call(stop: Callable[[], None]) -> Iterator[None]:
    """Within it Ctrl-C and SIGTERM call `stop` and nothing else: an exception could break what is half done."""
    with _handlers(dict.fromkeys((signal.SIGINT, signal.SIGTERM), lambda *_: stop())):
        yield


def _exit(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


@contextmanager
def _handlers(handlers: dict[signal.Signals, "signal._HANDLER"]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        handlers = {}  # Python lets the main thread alone set handlers, and runs them there alone
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
