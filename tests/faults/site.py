"""A whole site that faults are done to: brokers, a Redis, and scoring workers, all processes of this test's own."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec
from redis import Redis, RedisError

from churn.settings import Settings
from churn.stack.kafka import LocalKafka
from churn.stack.ports import free_port
from churn.stack.redis import LocalRedis
from model.artifact import save
from schemas.topics import DEAD_LETTERS, SCORES, TOPICS
from tests.conftest import PARTITIONS, clean_environment
from tests.faults.load import Record
from tests.faults.process import Behaviour
from tests.faults.proxy import Proxy
from tests.integration.worker import Worker, publish, read, redis_contents
from tests.unit.model.test_training import ARTIFACT
from workers.admin import KafkaAdmin
from workers.keys import applied_key
from workers.store import decode_applied

WORKERS = 3
_MOMENTS = re.compile(rb'"(time|scored_at)":"[^"]*"')


_CLEAN_RUNS: dict[tuple[Record, ...], "Found"] = {}  # the same at every site


class Found(NamedTuple):
    """Digests of what came out, by topic and partition, in order; and of every Redis value, by key."""

    outputs: dict[tuple[str, int], list[bytes]]
    states: dict[bytes, bytes]


class FaultyWorker(Worker):
    """A `churn score` process that may fail by itself."""

    def __init__(self, environment: dict[str, str], log: Path, behaviour: Behaviour) -> None:
        self.log = log
        command = [sys.executable, "-m", "tests.faults.process", msgspec.json.encode(behaviour).decode()]
        with log.open("ab") as file:
            self.process = subprocess.Popen(command, env=environment, stdout=file, stderr=file)

    def pause(self) -> None:
        """SIGSTOP: its connections stay open, its clock stands."""
        self.process.send_signal(signal.SIGSTOP)

    def is_dead(self) -> bool:
        """Whether it has ended."""
        return self.process.poll() is not None

    def is_paused(self) -> bool:
        """Whether a SIGSTOP, its own or ours, has reached it."""
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def resume(self) -> None:
        """SIGCONT."""
        self.process.send_signal(signal.SIGCONT)


class Site:
    """The brokers (each with a second listener, reached through a proxy), the Redis (through another), the workers."""

    def __init__(self, folder: Path, *, brokers: int = 1, extra: dict[str, str] | None = None) -> None:
        self.folder = folder
        controllers = [free_port() for _ in range(brokers)]
        self.brokers: list[LocalKafka] = []
        self.kafka_proxies: list[Proxy] = []
        for number in range(1, brokers + 1):
            port, proxied = free_port(), free_port()
            self.kafka_proxies.append(Proxy(proxied))
            properties = {
                "node.id": str(number),
                "controller.quorum.voters": ",".join(f"{n}@127.0.0.1:{p}" for n, p in enumerate(controllers, 1)),
                "listeners": f"PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{proxied},"
                f"CONTROLLER://127.0.0.1:{controllers[number - 1]}",
                "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port},"
                f"PROXIED://127.0.0.1:{self.kafka_proxies[-1].port}",
                "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
                "group.min.session.timeout.ms": "1000",
                "broker.session.timeout.ms": "3000",
                "broker.heartbeat.interval.ms": "500",
                "offsets.topic.replication.factor": str(min(3, brokers)),
                "transaction.state.log.replication.factor": str(min(3, brokers)),
                "transaction.state.log.min.isr": str(min(2, brokers)),
                "min.insync.replicas": str(min(2, brokers)),
                "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
                **(extra or {}),
            }
            self.brokers.append(
                LocalKafka(
                    folder / f"kafka-{number}", port=port, controller_port=controllers[number - 1], extra=properties
                )
            )
        self.redis = LocalRedis(folder / "redis")
        self.redis_proxy = Proxy(self.redis.port)
        self.workers: list[FaultyWorker] = []
        self._started = self._published = 0
        self._shares: Iterator[Sequence[Record]] = iter(())

    @property
    def kafka(self) -> str:
        """The brokers, for clients that nothing is to happen to."""
        return ",".join(broker.address for broker in self.brokers)

    def client(self) -> Any:
        """A client of the Redis, to be closed."""
        return Redis(port=self.redis.port, socket_timeout=5)

    def start(self) -> None:
        """Start the brokers and the Redis."""
        for broker in self.brokers:
            broker.launch()
        for broker in self.brokers:
            broker.wait()
        self.redis.start()
        save(ARTIFACT, self.folder / "models")

    def close(self) -> None:
        """End everything."""
        self.end_workers()
        for proxy in (*self.kafka_proxies, self.redis_proxy):
            proxy.close()
        for broker in self.brokers:
            broker.process.kill()
        self.redis.process.kill()

    def end_workers(self) -> None:
        """`kill -9` whatever runs."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.kill()
        self.workers.clear()

    def clear(self) -> None:
        """No workers, empty topics, empty Redis, proxies that only pass on."""
        self.end_workers()
        for proxy in (*self.kafka_proxies, self.redis_proxy):
            proxy.release()
            proxy.delay_s = proxy.loss = 0.0
        self._published, self._shares = 0, iter(())
        with self.client() as redis:
            redis.flushall()
        admin = AdminClient({"bootstrap.servers": self.kafka})
        names = {topic.name for topic in TOPICS}

        def existing() -> set[str]:
            return {*admin.list_topics(timeout=10).topics} & names

        for future in admin.delete_topics([*existing()]).values() if existing() else ():
            future.result(10)
        eventually("the topics are deleted", lambda: not existing(), 20)
        copies = min(3, len(self.brokers))
        new = [NewTopic(t.name, t.partitions or PARTITIONS, copies, config=t.settings()) for t in TOPICS]
        for future in admin.create_topics(new).values():
            future.result(10)
        eventually("the topics are there", lambda: existing() == names, 20)

    def start_worker(
        self,
        behaviour: Behaviour | None = None,
        *,
        proxied: bool = False,
        worker_id: str = "",
        batch: int = 8000,
        measured: bool = False,
        more: Mapping[str, str] | None = None,
    ) -> FaultyWorker:
        """Start a worker, by way of the proxies or not; `measured` for coverage, which makes it half as fast.

        `more` are further settings.
        """
        self._started += 1
        kafka, redis = self.kafka, self.redis.url
        if proxied:
            kafka = ",".join(f"127.0.0.1:{proxy.port}" for proxy in self.kafka_proxies)
            redis = f"redis://127.0.0.1:{self.redis_proxy.port}/0"
        environment = clean_environment() | {
            "KAFKA_BOOTSTRAP_SERVERS": kafka,
            "REDIS_URL": redis,
            "CHURN_MODELS": str(self.folder / "models"),
            "CHURN_WORKER_ID": worker_id,
            "CHURN_BATCH_RECORDS": str(batch),
            **(more or {}),
        }
        if not measured:
            environment.pop("COVERAGE_PROCESS_CONFIG", None)
        log = self.folder / f"worker-{self._started}.log"
        self.workers.append(FaultyWorker(environment, log, behaviour or Behaviour()))
        return self.workers[-1]

    def publish(self, records: Iterable[Record]) -> None:
        """Put records into `customer.events`, past every proxy."""
        self._published += publish(self.kafka, records)

    def feed(self) -> None:
        """Publish the next share, if one is left."""
        self.publish(next(self._shares, ()))

    def applied(self) -> int:
        """How many records the states in Redis are of; 0 while Redis does not answer."""
        try:
            with self.client() as redis:
                values = redis.mget([applied_key(partition) for partition in range(PARTITIONS)])
        except RedisError:
            return 0
        return sum(int(value.partition(b":")[2]) for value in values if value)

    def is_behind(self) -> bool:
        """Whether no partition's states are of more records than the group has answered."""
        committed = KafkaAdmin({"bootstrap.servers": self.kafka}, partitions=PARTITIONS, replication=1).committed(
            Settings().group
        )
        with self.client() as redis:
            applied = [decode_applied(redis.get(applied_key(partition))) for partition in range(PARTITIONS)]
        return all((offset or 0) <= committed.get(partition, 0) for partition, offset in enumerate(applied))

    def wait_going(self, timeout_s: float = 60) -> None:
        """Wait until work goes on from where it is now, or all that is published is done."""
        done = self.applied()
        eventually("work goes on", lambda: self.applied() > done or done >= self._published, timeout_s, self.tell)

    def wait_busy(self, timeout_s: float = 60) -> None:
        """Publish the next share and wait until work goes on; some must be left to do."""
        self.feed()
        self.wait_going(timeout_s)
        assert self.applied() < self._published, "nothing is left to do"

    def wait_applied(self, least: int, timeout_s: float = 90) -> None:
        """Wait until the states are of so many records; every worker that was not made to fail must live."""
        eventually(f"{least} records applied", lambda: self.applied() >= least, timeout_s, self.tell)

    def tell(self) -> str:
        """How far the states are, and the ends of the workers' logs."""
        logs = "".join(f"\n{w.log.name}: {w.log.read_text()[-1500:]}" for w in self.workers)
        return f"{self.applied()} applied{logs}"

    def leader(self, topic: str, partition: int) -> int:
        """The number, from 1, of the broker that leads a partition."""
        admin = AdminClient({"bootstrap.servers": self.kafka})
        return admin.list_topics(topic, timeout=10).topics[topic].partitions[partition].leader

    def _is_settled(self) -> bool:
        """Whether no transaction is open, which would keep readers from what is behind it."""
        admin: Any = AdminClient({"bootstrap.servers": self.kafka})
        places = [TopicPartition(SCORES, partition) for partition in range(PARTITIONS)]
        places.append(TopicPartition(DEAD_LETTERS, 0))
        ends = [
            {place: future.result(10).offset for place, future in admin.list_offsets(
                {place: OffsetSpec.latest() for place in places}, isolation_level=level).items()}
            for level in IsolationLevel
        ]  # fmt: skip
        return ends[0] == ends[1]

    def found(self) -> Found:
        """Everything that came out, once no transaction is open any more."""
        eventually("no transaction is open", self._is_settled, 30)
        outputs: dict[tuple[str, int], list[bytes]] = {}
        for topic in (SCORES, DEAD_LETTERS):
            for message in sorted(read(self.kafka, topic), key=lambda m: (m.partition() or 0, m.offset() or 0)):
                whole = _MOMENTS.sub(b"", message.value() or b""), message.key(), message.headers()
                outputs.setdefault((topic, message.partition() or 0), []).append(_digest(repr(whole).encode()))
        for (topic, _), digests in outputs.items():
            if topic == DEAD_LETTERS:
                digests.sort()  # one partition takes those of all, in the order in which they happen to come
        with self.client() as redis:
            contents = redis_contents(redis)
        return Found(outputs, {key: _digest(value) for key, value in contents.items()})

    def prepare(self, records: tuple[Record, ...], *, rounds: int = 0) -> Found:
        """Empty the site and publish `records`; returns what a clean run makes of them.

        With `rounds` only a share of them is published, and another with each `feed` or `wait_busy`, of which there are
        to be as many: however fast the machine is, there is work to do in every round.
        """
        if records not in _CLEAN_RUNS:
            _CLEAN_RUNS[records] = self.clean_run(records)
        self.clear()
        size = -(-len(records) // (rounds + 1))
        self._shares = (records[start : start + size] for start in range(0, len(records), size))
        self.feed()
        return _CLEAN_RUNS[records]

    def clean_run(self, records: Sequence[Record]) -> Found:
        """What one worker makes of `records` when nothing happens; each record has come out once."""
        self.clear()
        self.publish(records)
        worker = self.start_worker()
        self.wait_applied(len(records))
        assert worker.stop() == 0
        found = self.found()
        assert sum(len(some) for some in found.outputs.values()) == len(records)
        return found


def assert_exact(site: Site, expected: Found) -> None:
    """What came out is what came out of the clean run: each once, in order, to the byte; so are the states."""
    found = site.found()
    for place, wanted in expected.outputs.items():
        got = found.outputs.get(place, [])
        if got != wanted:
            first = next((n for n, pair in enumerate(zip(got, wanted, strict=False)) if len({*pair}) > 1), "the end")
            raise AssertionError(
                f"{place}: {len(got)} records, {len({*got})} different; expected {len(wanted)}, {len({*wanted})} "
                f"different; {len({*wanted} - {*got})} are missing; they differ from number {first} on{site.tell()}"
            )
    assert found.outputs.keys() == expected.outputs.keys()
    different = {key for key in found.states | expected.states if found.states.get(key) != expected.states.get(key)}
    assert not different, f"{len(different)} states differ, such as {min(different)!r}{site.tell()}"


def assert_ends_exact(
    site: Site, expected: Found, records: int, workers: Iterable[FaultyWorker], *, timeout_s: float = 90
) -> None:
    """All `records` are applied in time, the workers end well when they are told to, and what came out is exact."""
    site.wait_applied(records, timeout_s)
    assert all(worker.stop() == 0 for worker in workers)
    assert_exact(site, expected)


def eventually(what: str, holds: Callable[[], bool], timeout_s: float, tell: Callable[[], str] = lambda: "") -> None:
    """Wait until `holds`; a broker that is away counts as not yet."""
    deadline = time.monotonic() + timeout_s
    while True:
        with suppress(KafkaException):
            if holds():
                return
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}; {tell()}"
        time.sleep(0.05)


def _digest(value: bytes) -> bytes:
    return blake2b(value, digest_size=16).digest()
