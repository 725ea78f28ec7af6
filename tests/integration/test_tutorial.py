"""The tutorial as it is written: its `sh` blocks, in order, in one shell, with a stack of its own."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "tutorial.md"
TIMEOUT_S = 140


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A folder with `churn` and `python` as the tutorial's virtual environment has them."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, command in (("churn", f"{sys.executable} -m churn"), ("python", sys.executable)):
        (folder / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (folder / name).chmod(0o755)
    return folder


def test_every_command_works_in_order(commands: Path, tmp_path: Path) -> None:
    """Nothing fails, what the text says comes out, and nothing is left running."""
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "producers").symlink_to(ROOT / "producers")
    blocks: list[str] = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    code, said, told = _run("".join(blocks), folder, environment_of(commands))
    log = folder / "score.log"
    assert code == 0, f"{said}\n{told}\n{log.read_text()[-3000:] if log.exists() else ''}"
    words = " ".join(said.split())
    for expected in (
        "2,850 customers, 446 of whom left",
        "4,819 events and 300 outcomes",
        "4819 scores.txt",
        " 4.3% low none ",
        "81.4% hand-to-retention +4.2 You complained 1 time",
        "scored=4820 could_not_compute=0 dead_letters=0",
        "lag=0",
    ):
        assert expected in words, f"{expected!r} is not in:\n{said}"
    assert words.count("12 as of 2026-06-30 00:00:00 UTC") == 1
    assert words.count("12 as of 2026-06-30 12:00:00 UTC") == 1
    assert "Ended: kafka, redis" in told
    assert "Traceback" not in told + log.read_text()
    assert len((folder / "scores.txt").read_text().splitlines()) == 4819


def _run(script: str, folder: Path, environment: dict[str, str]) -> tuple[int, str, str]:
    """The exit code, output and errors of a bash script; however it ends, what it started is ended too."""
    trap = "trap 'status=$?; kill $(jobs -p) 2>/dev/null || :; wait; churn stack down; exit $status' EXIT\n"
    with subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", trap + script], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as shell:  # fmt: skip
        try:
            said, told = shell.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, signal.SIGTERM)
            said, told = shell.communicate(timeout=30)
        return shell.returncode, said, told


def environment_of(commands: Path) -> dict[str, str]:
    """A shell that knows of no stack but may use Docker as this run does."""
    ours = ("CHURN_", "KAFKA_", "REDIS_URL")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    docker = {"CHURN_DOCKER": os.environ.get("CHURN_DOCKER", "1")}
    return clean | docker | {"PATH": f"{commands}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
