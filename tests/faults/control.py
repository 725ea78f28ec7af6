"""The same faults done to the worker loops of others, to see what the tests would find: `make test-faults-control`.

A Faust agent and a Quix Streams application as their documentation shows them, with a fixed consumer group, which a
restarted worker of theirs joins again. Every event has a number. One is lost when the group has committed an offset
behind it and nobody answered it: then nobody ever will. What the group has not read when the time is over is counted
apart; after a kill it can stand still for a minute and more.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from rich.console import Console

from tests.bench.running import HERE as BENCH
from tests.bench.running import python_of
from tests.faults import table
from tests.faults.site import Site
from tests.integration.worker import read
from workers.headers import headers_of

POISON = (b"junk", b"", b"[1]", b"{}", b'{"event_id": 1}')
LIMIT_S = 300.0
TOPIC, GROUP = "peer.events", "control"
PARTITIONS = 4  # as in peers/job.py
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
                producer.produce(TOPIC, bad[n], b"1", headers=[("number", b"")])
            customer = str(random.randrange(50_000))
            event = {"event_id": str(n), "customer_id": customer, "type": "call.started", "occurred_at": "",
                     "source": "", "schema_version": 1, "data": {}}  # fmt: skip
            producer.produce(TOPIC, json.dumps(event).encode(), customer.encode(), headers=[("number", b"%d" % n)])
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

    def settle(self) -> None:
        """Wait until the group has committed everything, or the time is over, or nobody is left to do it."""
        deadline = time.monotonic() + LIMIT_S
        while self._committed() != self._ends() and time.monotonic() < deadline and self.runs():
            time.sleep(1)

    def runs(self) -> bool:
        """Whether a worker is left."""
        return any(process.poll() is None for process in self._running)

    def result(self) -> str:
        """What became of the events."""
        committed = self._committed()
        answers = Counter(json.loads(m.value() or b"")["event_id"] for m in read(self._site.kafka, "peer.scores"))
        lost = unread = poison = 0
        for message in read(self._site.kafka, TOPIC):
            number = headers_of(message)[0][1]
            if number and number.decode() in answers:
                continue
            if (message.offset() or 0) >= committed.get(message.partition() or 0, 0):
                unread += 1
            elif number:
                lost += 1
            else:
                poison += 1
        twice = sum(count - 1 for count in answers.values())
        words = [f"{lost:,} of {self._loop.events:,} lost", f"{twice:,} answered more than once"]
        words += [f"{poison:,} that are no events are gone"] * bool(poison)
        words += [f"{unread:,} not read after {LIMIT_S:.0f} s"] * bool(unread)
        return ", ".join(words)

    def _committed(self) -> dict[int, int]:
        admin: Any = AdminClient({"bootstrap.servers": self._site.kafka})
        group = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(GROUP)])[GROUP].result(10)
        return {place.partition: place.offset for place in group.topic_partitions if place.topic == TOPIC}

    def _ends(self) -> dict[int, int]:
        admin: Any = AdminClient({"bootstrap.servers": self._site.kafka})
        places = {TopicPartition(TOPIC, partition): OffsetSpec.latest() for partition in range(PARTITIONS)}
        return {place.partition: future.result(10).offset for place, future in admin.list_offsets(places).items()}

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
    control.start()
    ends = 0
    control.settle()
    while not control.runs() and ends < 5:
        ends += 1
        control.start()
        control.settle()
    return f"{control.result()}; ended by itself {ends} times"


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
    results = table.read_control()
    for loop in LOOPS:
        for number, row in ((1, row_01), (10, row_10), (16, row_16)):
            with _control(loop) as control, console.status(f"row {number}: {loop.name}"):
                results.setdefault(loop.name, {})[number] = row(control)
            console.print(f"row {number}, {loop.name}: {results[loop.name][number]}", highlight=False)
            table.keep_control(results)


if __name__ == "__main__":
    main()
