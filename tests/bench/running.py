"""What the benchmarks share: virtual environments of peers, and processes that are certain to end."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol, TypeVar

import click
import msgspec

from churn.errors import UserError
from churn.stack.errors import StackError
from churn.stack.redis import redis_executable

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent

# The alarm outlives `exec`: the kernel ends the program in time even when nobody is left to do it, and Faust, which
# ignores SIGTERM while it waits for a broker, does not get to see it.
_GUARDED = "import os, signal, sys; signal.alarm(int(sys.argv[1])); os.execv(sys.argv[2], sys.argv[2:])"


class FailedError(UserError):
    """A part of a benchmark that did not do its job; the message tells which, and where its output is."""


class Measured(Protocol):
    """What a benchmark came to; `missed` is true when a requirement was not met."""

    @property
    def missed(self) -> object:
        """What was not met."""


_M = TypeVar("_M", bound=Measured)


def measure(run: Callable[[], _M], show: Callable[[_M], None], *, as_json: bool) -> None:
    """Run a benchmark and print what it came to: exit code 1 when it misses a requirement, 2 when it cannot measure."""
    try:
        report = run()
    except UserError as error:
        click.echo(error, err=True)
        sys.exit(2)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report)))
    else:
        show(report)
    sys.exit(bool(report.missed))


def has_redis() -> bool:
    """Whether this machine has a Redis without Docker."""
    try:
        redis_executable()
    except StackError:
        return False
    return True


def python_of(name: str, tell: Callable[[str], None]) -> str:
    """Give the Python of a peer's virtual environment, which is made the first time and whenever its pins change."""
    environments = ROOT / ".venv-bench"
    folder, pins = environments / name, HERE / f"requirements-{name}.txt"
    python, stamp = folder / "bin" / "python", folder / "made-from.txt"
    wanted = f"# Python {sys.version}\n{pins.read_text()}"
    if not stamp.exists() or stamp.read_text() != wanted:
        tell(f"Making {folder}")
        environments.mkdir(exist_ok=True)
        (environments / ".gitignore").write_text("*\n")
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(pins)]
        for command in ([sys.executable, "-m", "venv", "--clear", str(folder)], install):
            if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode != 0:
                raise FailedError(f"{folder} could not be made; pip says above why")
        stamp.write_text(wanted)
    return str(python)


@contextmanager
def process_of(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path, limit_s: float
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in a process group of its own, which is killed at the end of the context or after `limit_s`."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", _GUARDED, str(int(limit_s)), *command],
            cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def how_it_ended(code: int, limit_s: float) -> str:
    """An exit code in words."""
    return f"was ended after {limit_s:.0f} s" if code == -signal.SIGALRM else f"ended with exit code {code}"
