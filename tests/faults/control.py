"""The same faults done to the worker loops of others, to see what the tests would find: `make test-faults-control`.

A Faust agent and a Quix Streams application as their documentation shows them, with a fixed consumer group, which a
restarted worker of theirs joins again. Every event has a number; what was lost and what came twice is counted.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random

import msgspec
from confluent_kafka import Producer
from rich.console import Console

from tests.bench.worker_loops import HERE as BENCH
from tests.bench.worker_loops import python_of
from tests.faults import table
from tests.faults.site import Site
from tests.integration.worker import read

POISON = (b"junk", b"", b"[1]", b"{}", b'{"event_id": 1}')
QUIET_S = 12.0
LIMIT_S = 240.0
# The group of the original is another one in each process.
_RUN = (
    "import sys; s = open(sys.argv[1]).read().replace('str(uuid.uuid4())', repr('control')); sys.argv = sys.argv[1:]; "
)
_RUN += "exec(compile(s, sys.argv[0], 'exec'))"


class Loop(msgspec.Struct, frozen=True):
    """A loop of somebody else: what to run it with, and how many events keep it busy for some ten seconds."""

    name: str
    venv: str
    arguments: list[str]
    events: int


LOOPS = (
    Loop("Faust agent", "faust", ["faust_agent.py"], 15_000),
    Loop("Quix Streams", "quix", ["quix_streams.py", "1000000000"], 60_000),
)


class Control:
    """One run of one loop at a site, which is empty at the start."""

    def __init__(self, site: Site, loop: Loop) -> None:
        self._site, self._loop = site, loop
        self._python = python_of(loop.venv, lambda _: None)
        ours = {"KAFKA_BOOTSTRAP_SERVERS": site.kafka, "REDIS_URL": site.redis.url, "MODE": "each"}
        folder = {"PEER_FAUST_FOLDER": str(site.folder / "faust"), "EVENTS": "1000000000", "PYTHONPATH": "."}
        self._environment: Mapping[str, str] = {**os.environ, **ours, **folder}
        self._running: list[subprocess.Popen[bytes]] = []

    def load(self, poison: int = 0) -> None:
        """Customers, topics and numbered events, with some records among them that are none."""
        job = [sys.executable, "job.py", "0"]
        subprocess.run(job, cwd=BENCH / "peers", env=self._environment, check=True, stdout=subprocess.DEVNULL)
        random = Random(1)
        producer = Producer({"bootstrap.servers": self._site.kafka, "enable.idempotence": True})
        bad = {random.randrange(self._loop.events): random.choice(POISON) for _ in range(poison)}
        for n in range(self._loop.events):
            if n in bad:
                producer.produce("peer.events", bad[n], b"1")
            customer = str(random.randrange(50_000))
            event = {"event_id": str(n), "customer_id": customer, "type": "call.started", "occurred_at": "",
                     "source": "", "schema_version": 1, "data": {}}  # fmt: skip
            producer.produce("peer.events", json.dumps(event).encode(), customer.encode())
            producer.poll(0)
        assert producer.flush(30) == 0

    def start(self) -> subprocess.Popen[bytes]:
        """Start one worker."""
        command = [self._python, "-c", _RUN, *self._loop.arguments]
        log = (self._site.folder / "control.log").open("ab")
        with log:
            process = subprocess.Popen(
                command, cwd=BENCH / "peers", env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        self._running.append(process)
        return process

    def scored(self) -> list[str]:
        """The number of every event that was answered."""
        return [json.loads(m.value() or b"")["event_id"] for m in read(self._site.kafka, "peer.scores")]

    def settle(self) -> None:
        """Wait until nothing comes out any more."""
        deadline, before, since = time.monotonic() + LIMIT_S, -1, time.monotonic()
        while time.monotonic() < deadline and time.monotonic() - since < QUIET_S:
            time.sleep(1)
            if (now := len(self.scored())) != before:
                before, since = now, time.monotonic()

    def result(self) -> str:
        """What was lost and what came twice."""
        scored = self.scored()
        lost, twice = self._loop.events - len({*scored}), len(scored) - len({*scored})
        return f"{lost:,} of {self._loop.events:,} lost, {twice:,} answered more than once"

    def end(self) -> None:
        """Kill what runs."""
        for process in self._running:
            process.kill()
            process.wait()


def row_01(control: Control) -> str:
    """Killed at random, six times, with another in its place."""
    control.load()
    random, workers = Random(1), [control.start() for _ in range(2)]
    time.sleep(8)
    for _ in range(6):
        time.sleep(random.uniform(1, 3))
        victim = workers.pop(random.randrange(2))
        victim.kill()
        victim.wait()
        workers.append(control.start())
    control.settle()
    return control.result()


def row_10(control: Control) -> str:
    """A worker joins or leaves every 2 s, ten times."""
    control.load()
    control.start()
    time.sleep(6)
    extra: list[subprocess.Popen[bytes]] = []
    for _ in range(10):
        if extra:
            extra.pop().terminate()
        else:
            extra.append(control.start())
        time.sleep(2)
    control.settle()
    return control.result()


def row_16(control: Control) -> str:
    """100 records that are no events; who ends is started again, five times at most."""
    control.load(poison=100)
    worker, ends = control.start(), 0
    for _ in range(5):
        control.settle()
        if worker.poll() is None:
            break
        ends += 1
        worker = control.start()
    return f"{control.result()}; {ends} times ended by itself; no bad record is kept anywhere"


@contextmanager
def _control(loop: Loop) -> Iterator[Control]:
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder))
        control = Control(site, loop)
        try:
            site.start()
            yield control
        finally:
            control.end()
            site.close()


def main() -> None:
    """Do it all, and write it down in the page of faults."""
    console = Console(stderr=True)
    results: dict[str, dict[str, str]] = {}
    for loop in LOOPS:
        for number, row in ((1, row_01), (10, row_10), (16, row_16)):
            with _control(loop) as control, console.status(f"row {number}: {loop.name}"):
                results.setdefault(loop.name, {})[str(number)] = row(control)
            console.print(f"row {number}, {loop.name}: {results[loop.name][str(number)]}", highlight=False)
    table.keep_control(results)


if __name__ == "__main__":
    main()
