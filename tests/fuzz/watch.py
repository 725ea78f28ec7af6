"""Noticing that code is run which came from a file."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

RUNNING = {
    "exec", "compile", "marshal.loads", "pickle.find_class", "code.__new__", "ctypes.dlopen",
    "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "subprocess.Popen",
}  # fmt: skip
_watching = [False]


class CodeWasRunError(Exception):
    """Something was executed while it was watched for."""


@contextmanager
def nothing_is_run() -> Iterator[None]:
    """Raise `CodeWasRunError` where code is compiled, unpickled or executed, or a process is started."""
    _watching[0] = True
    try:
        yield
    finally:
        _watching[0] = False


def _hear(name: str, _: object) -> None:
    if _watching[0] and name in RUNNING:
        raise CodeWasRunError(name)


sys.addaudithook(_hear)  # there is no way to take it out again
