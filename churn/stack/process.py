"""A program that may outlive whoever started it, and that anybody who knows its folder can find and end."""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from churn.stack.errors import StackError

STOP_S = 5.0  # within which a program that can be seen to be stopped is
# The program's own shell writes the pid, so that a starter that is killed at any moment leaves no nameless program.
_WRITE_PID_AND_BECOME = 'echo "$$ $PPID" >"$0"; exec "$@"'


class Process:
    """A program whose pid file `<folder>/<name>.pid` is locked for as long as the program runs.

    The program inherits the lock and the kernel frees it when the program is gone. So unlike a pid and a start time, it
    cannot be mistaken for another program that got the same pid later, also after a restart of the machine.
    The object itself holds no state: any process may make one for the same folder and name.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.log = folder / f"{name}.log"
        self._name = name
        self._pid_file = folder / f"{name}.pid"

    def start(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start `command`; its output is appended to `log`.

        It sees only the variables in `environment`, and gets no Ctrl-C of our terminal.
        Raises `StackError` when it runs already. A command that cannot be run shows only as `alive()` being false.
        """
        if self.alive():
            raise StackError(f"{self._name} runs already (pid {self.pid}); its log is {self.log}")
        self._pid_file.parent.mkdir(parents=True, exist_ok=True)
        with self._pid_file.open("w") as pid_file, self.log.open("ab") as log:
            fcntl.flock(pid_file, fcntl.LOCK_EX)
            child = subprocess.Popen(  # noqa: S603 - callers give fixed commands
                ["/bin/sh", "-c", _WRITE_PID_AND_BECOME, str(self._pid_file), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment or {},
                pass_fds=[pid_file.fileno()],
                start_new_session=True,
            )
        child.returncode = 0  # it may outlive us, which Popen would warn about; `alive` reaps it
        while self.pid is None and self.alive():
            time.sleep(0.001)

    def alive(self) -> bool:
        """Whether the program runs (or is paused)."""
        try:
            with self._pid_file.open() as pid_file:
                fcntl.flock(pid_file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        self._reap()
        return False

    @property
    def pid(self) -> int | None:
        """The pid, which is also the number of its process group; none when the program does not run."""
        written = self._written() if self.alive() else []
        return written[0] if written else None

    def stop(self, timeout_s: float = 10.0) -> None:
        """Ask the program to end (SIGTERM), and after `timeout_s` seconds end it (SIGKILL); nothing if it does not run.

        Raises `StackError` when it has not ended another `timeout_s` seconds later.
        """
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)  # one that is paused would not see SIGTERM
        if not self._ends_within(timeout_s):
            self.kill(timeout_s)

    def kill(self, timeout_s: float = 10.0) -> None:
        """End the program at once (SIGKILL); raises `StackError` when it still runs after `timeout_s` seconds."""
        self._signal(signal.SIGKILL)
        if not self._ends_within(timeout_s):
            raise StackError(f"{self._name} (pid {self.pid}) does not end; its log is {self.log}")

    def pause(self) -> None:
        """Stop the program's clock (SIGSTOP): its connections stay open and nothing answers.

        Where it is our child, nothing of it runs any more when this returns.
        """
        self._signal(signal.SIGSTOP)
        seen = os.WSTOPPED | os.WEXITED | os.WNOWAIT | os.WNOHANG  # all of its threads, or its end
        # Bounded: a program that has just forked a child which shares its memory waits for it, and the child, which is
        # stopped too, never gets as far as to let it go. Neither runs, and neither ever counts as stopped.
        deadline = time.monotonic() + STOP_S
        with suppress(ChildProcessError):
            while (pid := self.pid) and not os.waitid(os.P_PID, pid, seen) and time.monotonic() < deadline:
                time.sleep(0.002)

    def resume(self) -> None:
        """Let a paused program go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if (pid := self.pid) is not None:
            with suppress(ProcessLookupError):
                os.killpg(pid, number)

    def _ends_within(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while self.alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _reap(self) -> None:
        """Take the exit code of an ended program that was our child, which else stays a zombie."""
        match self._written():
            case [pid, parent] if parent == os.getpid():
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)

    def _written(self) -> list[int]:
        """Read the pid and its parent's; empty in the moment before the program's shell has written them."""
        return [int(word) for word in self._pid_file.read_text().split()]
