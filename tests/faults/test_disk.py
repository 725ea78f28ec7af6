"""Row 15 of the matrix: a disk is full, the broker's or that of a process of ours."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from model.artifact import ModelError, save
from model.artifact import load as load_model
from tests.faults.conftest import Times
from tests.faults.load import load
from tests.faults.process import quick
from tests.faults.site import Site, assert_ends_exact, eventually
from tests.faults.test_silence import Watchers, wait_title
from tests.receivers import http_receiver
from tests.unit.model.test_training import ARTIFACT

BROKERS_DISK = "300m"
QUICK = quick()


def mounted(folder: Path, size: str) -> Path:
    """A disk of that size in memory; the test is skipped, loudly, where nobody may mount one."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},nr_inodes=5000", "tmpfs", str(folder)]
    if (done := subprocess.run(command, check=False, capture_output=True, text=True)).returncode:
        pytest.skip(f"a disk of its own cannot be mounted here: {done.stderr.strip()}")
    return folder


def fill(disk: Path) -> Path:
    """Take all the room that is left; returns the file that has it."""
    ballast = disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(65_536))
    return ballast


@pytest.fixture
def small_site(tmp_path: Path) -> Iterator[Site]:
    """A site whose broker has a small disk of its own."""
    one = Site(tmp_path / "site")
    disk = mounted(tmp_path / "site" / "kafka-1", BROKERS_DISK)
    try:
        one.start()
        yield one
    finally:
        one.close()
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_row_15_brokers_disk_full(small_site: Site, times: Times, tmp_path: Path) -> None:
    """On-call staff are told within 60 s; once there is room again and the broker is back, every record is exact."""
    times(1, 1)
    records = load(4_000)
    expected = small_site.prepare(records, rounds=1)
    with http_receiver() as receiver:
        watchers = Watchers(small_site, tmp_path, receiver, CHURN_SILENCE="customer.events=3600")
        try:
            watchers.start()
            watchers.wait_active()
            worker = small_site.start_worker(QUICK, batch=100)
            small_site.wait_applied(200)
            ballast = fill(tmp_path / "site" / "kafka-1")
            wait_title(receiver, "CRITICAL: broker away", watchers, 60)
            ballast.unlink()
            small_site.brokers[0].process.kill()
            small_site.brokers[0].start()
            small_site.feed()
            wait_title(receiver, "ALL CLEAR: broker away", watchers)
            assert_ends_exact(small_site, expected, len(records), [worker], timeout_s=120)
        finally:
            watchers.end()


def test_row_15_our_disk_full(site: Site, times: Times, tmp_path: Path) -> None:
    """A worker that cannot write its heartbeat goes on, and a version that does not fit leaves the old one as it is."""
    times(1, 1)
    disk = mounted(tmp_path / "disk", "1m")
    try:
        old = save(ARTIFACT, disk / "models").name
        fill(disk)
        with suppress(OSError):
            for number in range(10_000):  # an empty file takes no room, but a place in the table of files
                (disk / f"empty-{number}").touch()
        records = load(300)
        expected = site.prepare(records)
        worker = site.start_worker(QUICK, more={"CHURN_HEARTBEAT": str(disk / "alive")})
        with pytest.raises((OSError, ModelError)):
            save(ARTIFACT, disk / "models")
        assert [path.name for path in (disk / "models").iterdir() if not path.name.startswith(".")] == [old]
        assert load_model(disk / "models" / old).manifest.version == old
        eventually("it says so", lambda: "heartbeat cannot be written" in worker.log.read_text(), 30, site.tell)
        assert_ends_exact(site, expected, len(records), [worker])
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
