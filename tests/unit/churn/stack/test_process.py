"""A program that anybody who knows its folder can find and end."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from churn.stack.errors import StackError
from churn.stack.process import Process

TICKS = ["/bin/sh", "-c", "while :; do echo tick; sleep 0.02; done"]
STUBBORN = ["/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"]


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    """Make a process that is ended whatever the test does."""
    process = Process("worker", tmp_path / "folder")
    yield process
    process.kill()


def eventually(happens: Callable[[], bool]) -> None:
    """Wait for at most 10 s."""
    deadline = time.monotonic() + 10
    while not happens():
        assert time.monotonic() < deadline, "it did not happen within 10 s"
        time.sleep(0.02)


def test_starts_and_stops(process: Process) -> None:
    """A started program runs with its output in the log, and after stop neither it nor a zombie is left."""
    assert (process.alive(), process.pid) == (False, None)
    process.start(TICKS)
    eventually(lambda: b"tick" in process.log.read_bytes())
    pid = process.pid
    assert pid is not None
    process.stop()
    assert not process.alive()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_stop_of_what_does_not_run_does_nothing(process: Process) -> None:
    """Stop and kill may be called at any time."""
    process.stop()
    process.kill()


def test_starts_again(process: Process) -> None:
    """The same process can be started again, and its log goes on."""
    for _ in range(2):
        process.start(["/bin/sh", "-c", "echo started; exec sleep 60"])
        process.stop()
    assert process.log.read_text() == "started\n" * process.log.read_text().count("started")


def test_two_at_a_time_are_refused(process: Process) -> None:
    """A second start while the first runs is an error that names the log."""
    process.start(TICKS)
    with pytest.raises(StackError, match=r"worker runs already .*worker\.log"):
        process.start(TICKS)


def test_one_that_ignores_sigterm_is_killed(process: Process) -> None:
    """After the time-out, stop ends the program all the same."""
    process.start(STUBBORN)
    eventually(lambda: b"ready" in process.log.read_bytes())
    process.stop(timeout_s=0.2)
    assert not process.alive()


def test_children_end_with_it(process: Process) -> None:
    """A signal goes to the program's own children too."""
    process.start(["/bin/sh", "-c", "sleep 61 & echo $!; wait"])
    eventually(lambda: process.log.read_bytes().endswith(b"\n"))
    child = int(process.log.read_text())
    process.stop()
    state = Path(f"/proc/{child}/stat")
    eventually(lambda: not state.exists() or " Z " in state.read_text())


def test_pause_and_resume(process: Process) -> None:
    """A paused program lives and does nothing from then on until it is resumed."""
    process.start(TICKS)
    eventually(lambda: process.log.stat().st_size > 0)
    process.pause()
    process.pause()  # again, which changes nothing
    size = process.log.stat().st_size
    time.sleep(0.2)
    assert process.alive()
    assert process.log.stat().st_size == size
    process.resume()
    eventually(lambda: process.log.stat().st_size > size)


def test_pause_of_one_that_has_ended_or_is_of_another(process: Process) -> None:
    """Nothing is waited for."""
    process.pause()
    process.start(["/bin/true"])
    eventually(lambda: not process.alive())
    process.pause()
    process.start(TICKS)
    code = "import sys; from pathlib import Path; from churn.stack.process import Process; "
    code += "Process(sys.argv[1], Path(sys.argv[2])).pause()"
    subprocess.run([sys.executable, "-c", code, process.log.stem, str(process.log.parent)], check=True, timeout=20)
    assert process.alive()


def test_threads_are_paused_too(process: Process) -> None:
    """When pause returns, not one of them runs."""
    busy = "import threading\nfor _ in range(20): threading.Thread(target=lambda: [0 for _ in iter(int, 1)]).start()"
    for _ in range(5):
        process.start([sys.executable, "-c", busy])
        tasks = Path(f"/proc/{process.pid}/task")
        eventually(lambda: len([*tasks.iterdir()]) > 20)  # noqa: B023
        process.pause()
        states = {(task / "stat").read_text().rpartition(")")[2].split()[0] for task in tasks.iterdir()}
        process.kill()
        assert states == {"T"}


def test_pause_comes_to_an_end_while_children_begin(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell that is stopped in the middle of starting a program never counts as stopped, and does nothing either."""
    monkeypatch.setattr("churn.stack.process.STOP_S", 0.3)
    process.start(["/bin/sh", "-c", "while :; do /bin/true; done"])
    for _ in range(60):
        time.sleep(0.003)
        process.pause()
        process.resume()
    assert process.alive()


def test_a_paused_one_stops(process: Process) -> None:
    """Stop ends a paused program by SIGTERM, without waiting for the time-out."""
    process.start(TICKS)
    process.pause()
    process.stop(timeout_s=30)
    assert not process.alive()


def test_sees_only_the_environment_it_is_given(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of our environment leaks into the program."""
    monkeypatch.setenv("SECRET", "1")
    process.start(["/usr/bin/env"], {"GIVEN": "2"})
    eventually(lambda: not process.alive())
    assert "GIVEN=2" in process.log.read_text()
    assert "SECRET" not in process.log.read_text()


def test_a_missing_program_is_not_alive(process: Process) -> None:
    """A command that cannot be run shows as not alive, and why is in the log."""
    process.start(["/no/such/program"])
    eventually(lambda: not process.alive())
    assert "/no/such/program" in process.log.read_text()


def test_found_after_its_starter_was_killed(process: Process) -> None:
    """Somebody else's kill -9 leaves the program running, and our handle ends it."""
    code = (
        "import pathlib, sys, time; from churn.stack.process import Process;"
        f"Process('worker', pathlib.Path({str(process.log.parent)!r})).start({TICKS!r});"
        "print('started', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        starter.stdout.readline()
        starter.kill()
    assert process.alive()
    process.stop()
    assert not process.alive()


def test_a_reused_pid_is_left_alone(process: Process) -> None:
    """A pid file that an ended program left does not lead to a stranger that got its pid."""
    process.start(["/bin/true"])
    eventually(lambda: not process.alive())
    with subprocess.Popen(["/bin/sleep", "60"]) as stranger:
        (process.log.parent / "worker.pid").write_text(f"{stranger.pid} 1\n")
        assert not process.alive()
        process.stop()
        process.kill()
        assert stranger.poll() is None
        stranger.kill()


def test_an_exit_code_taken_by_others_is_no_error(process: Process) -> None:
    """A program of ours whose exit code somebody else has read counts as ended."""
    process.start(["/bin/sleep", "60"])
    pid = process.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert not process.alive()


def test_one_that_does_not_end_is_an_error(process: Process) -> None:
    """When even SIGKILL does not free the lock, that is said, and the log named; no pid yet is not a crash."""
    process.start(["/bin/true"])
    eventually(lambda: not process.alive())
    with (process.log.parent / "worker.pid").open("r+") as pid_file:
        fcntl.flock(pid_file, fcntl.LOCK_EX)
        with pytest.raises(StackError, match=r"worker \(pid \d+\) does not end; its log is .*worker\.log"):
            process.stop(timeout_s=0.05)
        pid_file.truncate(0)
        assert process.alive()
        assert process.pid is None
