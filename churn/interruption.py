"""What is to end between two steps and not within one."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def signals_call(stop: Callable[[], None]) -> Iterator[None]:
    """Within it Ctrl-C and SIGTERM call `stop` and nothing else: an exception could break what is half done."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: stop()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
