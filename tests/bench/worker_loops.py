"""Worker loops that do one job, side by side, in one run: Faust, Quix Streams, kafka-python, confluent-kafka, ours.

Every loop is one process that reads an event, gets what is known of the customer from Redis, scores, and publishes the
answer with its reasons: 50,000 customers, 4 partitions, the same Kafka and Redis, one loop after the other. The peers
read ten numbers that somebody else has computed. Ours is `churn score` as it is: it also checks the event, folds it
into the customer's state, computes thirteen features with their freshness from it, writes the state back, and publishes
in transactions. No loop's start-up is timed.

What else the machine does slows every loop, and not by the same. So there are three rounds, in each of which every loop
has its turn, and a loop's result is its fastest; a peer that gets stuck, which happens, loses its turn only. Figures of
different runs still cannot be compared; ratios of one can.
"""

import logging
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain, cycle
from operator import attrgetter
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import click
import msgspec
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from churn.settings import Settings
from churn.stack import ladder
from churn.stack.record import Stack
from model.artifact import save
from model.features import FEATURES
from model.fold import event_ms, fold
from model.state import CustomerState
from model.table import Moment, training_table
from model.training import train
from model.vector import Vectorizer
from producers.datasets import IRANIAN_FILE, Dataset, load
from producers.history import OBSERVED_AT
from schemas.cloudevents import to_ms
from schemas.events import Call, CallStarted, encode
from schemas.partitioning import partition_of
from schemas.topics import SCORES
from tests.bench.running import HERE, ROOT, FailedError, has_redis, how_it_ended, measure, process_of, python_of
from tests.integration.worker import publish
from workers.admin import KafkaAdmin
from workers.store import FeatureStore

CUSTOMERS = 50_000  # as in peers/job.py
PARTITIONS = 4  # as in peers/job.py
ROUNDS = 3
PEER_EVENTS = 250_000
OUR_EVENTS = 200_000  # a round
LIMIT_S = 60.0
SAMPLE_S = 0.05
INPUTS = frozenset(
    {"tenure", "spend", "calls", "call_seconds", "call_failures", "messages", "numbers_called", "complaints", "age",
     "age_group", "tariff_plan", "status", "customer_value"}
)  # fmt: skip
FAUST, TAKE, QUIX, OURS = "Faust, one at a time", "Faust, take(2000)", "Quix Streams", "churn score"
REQUIRED = {FAUST: 20.0, TAKE: None, QUIX: 5.0}  # how many times as fast ours must be

_PEER_SAYS = re.compile(r": (\d+) events/s, ([\d.]+) us CPU/event")


class Result(msgspec.Struct, frozen=True):
    """What one loop did in one round; `cpu_us` is of all its threads, None where this system does not tell."""

    loop: str
    events: int
    events_per_s: float
    cpu_us: float | None


class Ratio(msgspec.Struct, frozen=True):
    """How many times as many events a second as `loop` ours does, and how many it must do."""

    loop: str
    ratio: float
    required: float | None

    @property
    def missed(self) -> bool:
        """Whether it is less than required."""
        return self.required is not None and self.ratio < self.required


class Report(msgspec.Struct, frozen=True):
    """One run."""

    at: datetime
    kafka: str
    redis: str
    cores: int
    load_average: float
    fastest: list[Result]
    ratios: list[Ratio]
    rounds: list[list[Result]]

    @property
    def missed(self) -> bool:
        """Whether a requirement was not met."""
        return any(ratio.missed for ratio in self.ratios)


class Peer(NamedTuple):
    """A loop in `peers/`: the virtual environment it needs, if not ours, and how to call it for its share of events."""

    loop: str
    venv: str | None
    events: int
    arguments: Sequence[str]
    environment: Mapping[str, str]


PEERS = (
    Peer(FAUST, "faust", 5_000, ["faust_agent.py"], {"MODE": "each", "EVENTS": "5000"}),
    Peer(TAKE, "faust", 15_000, ["faust_agent.py"], {"MODE": "take", "EVENTS": "15000"}),
    Peer(QUIX, "quix", 20_000, ["quix_streams.py", "20000"], {}),
    Peer("kafka-python, poll 2000", None, 40_000, ["kafka_python_batch.py", "40000", "2000"], {}),
    Peer(
        "confluent-kafka, transactions", None, PEER_EVENTS, ["confluent_batch.py", str(PEER_EVENTS), "2000", "txn"], {}
    ),
)


class Bench:
    """One run in `folder`, which is emptied; every process that it starts is gone when its part is over."""

    def __init__(self, folder: Path, stack: Stack, progress: Progress) -> None:
        self._folder = folder
        self._progress = progress
        self._round = ""
        self._kafka, self._redis = stack.kafka.address, stack.redis.address
        ours = ("CHURN_", "KAFKA_", "REDIS_URL")
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)} | {
            "KAFKA_BOOTSTRAP_SERVERS": self._kafka,
            "REDIS_URL": self._redis,
            "PEER_FAUST_FOLDER": str(folder / "faust"),
        }
        self._our_environment = self._environment | {
            "CHURN_MODELS": str(folder / "models"),
            "CHURN_PARTITIONS": str(PARTITIONS),
        }

    def run(self, pythons: Mapping[str | None, str]) -> list[list[Result]]:
        """Every loop's result in every round, ours last; `pythons` by virtual environment. Raises `FailedError`."""
        with self._step(f"Loading {CUSTOMERS:,} customers and {PEER_EVENTS:,} events for the peers"):
            self._end("job.py", [sys.executable, "job.py", str(PEER_EVENTS)], self._environment, HERE / "peers")
        self.prepare_ours()
        rounds = []
        for number in range(1, ROUNDS + 1):
            self._round = f"{number}/{ROUNDS} "
            peers = [self._peer(peer, pythons[peer.venv]) for peer in PEERS]
            rounds.append([*filter(None, peers), self.ours(number)])
        return rounds

    def prepare_ours(self) -> None:
        """A model, the topics, and what is known of the customers."""
        with self._step("Training a model on recorded customers"):
            dataset = load(IRANIAN_FILE)
            self._train(dataset)
        with self._step(f"Loading {CUSTOMERS:,} customers for ours"):
            config = {"bootstrap.servers": self._kafka}
            KafkaAdmin(config, partitions=PARTITIONS, replication=1).create_missing()
            self._load_customers(dataset)

    def _peer(self, peer: Peer, python: str) -> Result | None:
        """Run a peer; None when it did not do its job in time."""
        with self._step(peer.loop) as says:
            environment = {**self._environment, **peer.environment}
            try:
                output = self._end(peer.loop, [python, *peer.arguments], environment, HERE / "peers")
            except FailedError as error:
                says(str(error))
                return None
            if (said := _PEER_SAYS.search(output)) is None:
                raise FailedError(f"{peer.loop} did not say how fast it was; its output is in {self._log(peer.loop)}")
            result = Result(peer.loop, peer.events, float(said[1]), float(said[2]))
            says(result)
        return result

    def _train(self, dataset: Dataset) -> None:
        features = [feature for feature in FEATURES if feature.name in INPUTS]
        moments = [Moment(one.subject, to_ms(OBSERVED_AT), one.data.churned) for one in dataset.outcomes]
        table = training_table(dataset.events, moments, Vectorizer(features))
        artifact, _ = train(table, features, data_name=dataset.name, trained_at=datetime.now(UTC))
        save(artifact, self._folder / "models")

    def _load_customers(self, dataset: Dataset) -> None:
        """Write the states that the worker would have made of each customer's past: recorded pasts, used in turns."""
        pasts: dict[str, CustomerState] = {}
        for event in dataset.events:
            fold(pasts.setdefault(event.subject, CustomerState.new()), event, event_ms(event))
        states: list[dict[str, CustomerState]] = [{} for _ in range(PARTITIONS)]
        for number, past in zip(range(CUSTOMERS), cycle(pasts.values()), strict=False):
            states[partition_of(str(number), PARTITIONS)][str(number)] = past
        store = FeatureStore(self._redis, ttl_days=1, timeout_s=5.0)
        store.connect()
        for partition, some in enumerate(states):
            if not store.write(partition, expected=None, applied=0, states=some):
                raise FailedError("Redis is not empty")

    def _load_events(self, number: int) -> None:
        random, start = Random(number), OBSERVED_AT + timedelta(hours=number)

        def event(i: int) -> tuple[bytes, bytes]:
            customer = str(random.randrange(CUSTOMERS))
            call = CallStarted(
                id=f"{number}-{i:032x}", source="call-center", subject=customer, specversion="1.0",
                time=start + timedelta(milliseconds=i), data=Call(reason="bill"),
            )  # fmt: skip
            return customer.encode(), encode(call)

        publish(self._kafka, map(event, range(OUR_EVENTS)))

    def ours(self, number: int, **more: str) -> Result:
        """Publish the events of a round and run `churn score`, with `more` in its environment, until all is answered.

        The clock runs from its first answer to its last. Part of the first batch's work is done before, so none of it
        is counted.
        """
        samples: list[tuple[float, float | None]] = []
        log, environment = self._log(OURS), self._our_environment | more
        with self._step(f"Loading {OUR_EVENTS:,} events for ours"):
            self._load_events(number)
        with (
            self._step(OURS) as says,
            process_of([sys.executable, "-m", "churn", "score"], environment, ROOT, log, LIMIT_S) as process,
        ):
            while (said := _last_progress(log)).get("events", 0) < OUR_EVENTS:
                samples.append((time.time(), _cpu_s(process.pid)))
                time.sleep(SAMPLE_S)
                if process.poll() is not None:
                    raise FailedError(f"{OURS} {how_it_ended(process.returncode, LIMIT_S)}; its log is {log}")
            if said["scored"] != OUR_EVENTS:
                raise FailedError(f"{OURS} answered {said}, expected {OUR_EVENTS} scored; its log is {log}")
            before = log.read_text().partition(" INFO partition started")[0]
            started = datetime.fromisoformat(before.rpartition("\n")[2]).timestamp()
            offsets: Any = OffsetSpec
            start = min(self._answered(offsets.for_timestamp(int(1000 * started))))
            end = max(self._answered(offsets.max_timestamp()))
            events = OUR_EVENTS - Settings.load(self._our_environment).batch_records
            result = Result(OURS, events, events / (end - start), _cpu_us(samples, start, end, events))
            says(result)
        return result

    def _answered(self, which: Any) -> list[float]:
        """When an answer was published, by this machine's clock, in each partition; the last is its commit's marker."""
        admin: Any = AdminClient({"bootstrap.servers": self._kafka}, logger=logging.getLogger("kafka"))
        places = {TopicPartition(SCORES, partition): which for partition in range(PARTITIONS)}
        return [future.result(10).timestamp / 1000 for future in admin.list_offsets(places).values()]

    def _end(self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> str:
        """Run a program to its end and return what it printed; raises `FailedError`."""
        log = self._log(name)
        with process_of(command, environment, folder, log, LIMIT_S) as process:
            code = process.wait(LIMIT_S + 10)
        if code != 0:
            end = " ".join(log.read_text().split())[-300:]
            raise FailedError(f"{name} {how_it_ended(code, LIMIT_S)}; its output, in {log}, ends so: {end}")
        return log.read_text()

    def _log(self, name: str) -> Path:
        return self._folder / f"{re.sub('[^a-z0-9]+', '-', name.lower())}.log"

    @contextmanager
    def _step(self, what: str) -> Iterator["_Says"]:
        """Show that `what` is going on; the value takes a result to be shown when it is over."""
        what = f"{self._round}{what}"
        task, says = self._progress.add_task(what, total=None), _Says()
        start = time.monotonic()
        yield says
        self._progress.remove_task(task)
        self._progress.console.print(f"{what}: {says.text or f'{time.monotonic() - start:.1f} s'}", highlight=False)


class _Says:
    text = ""

    def __call__(self, result: Result | str) -> None:
        self.text = result if isinstance(result, str) else f"{result.events_per_s:,.0f} events/s"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def main(as_json: bool) -> None:
    """Measure the worker loops, each with its hard time-out, on a Kafka and a Redis of this run's own.

    Exit code 1 when ours is not as many times as fast as it must be, 2 when something could not be measured.
    """
    load_average = os.getloadavg()[0]
    measure(lambda: _report(*_measured(Console(stderr=True)), load_average), _show, as_json=as_json)


def _measured(console: Console) -> tuple[Stack, list[list[Result]]]:
    """Start a Kafka and a Redis, run every loop, end them; raises `UserError`."""

    def tell(sentence: str) -> None:
        console.print(sentence, highlight=False)

    with site(console, tell) as (folder, stack, progress):
        pythons = {None: sys.executable} | {name: python_of(name, tell) for name in ("faust", "quix")}
        return stack, Bench(folder, stack, progress).run(pythons)


@contextmanager
def site(console: Console, tell: Callable[[str], None]) -> Iterator[tuple[Path, Stack, Progress]]:
    """A folder that is empty, a Kafka and a Redis that are there for this run only, and where to show what goes on."""
    settings = Settings.load()
    # A container's port forwarding would take CPU time from what is measured, the more the faster a loop is.
    docker = settings.docker and not has_redis()
    folder = (settings.local / "bench").resolve()
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with (
        Progress(*columns, console=console, transient=True) as progress,
        # Its own, not the ones in the environment: this writes a million records.
        ladder.running(folder / "stack", kafka_bootstrap=None, redis_url=None, docker=docker, report=tell) as stack,
    ):
        for old in (*folder.glob("*.log"), folder / "models", folder / "faust"):
            shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)
        yield folder, stack, progress


def _report(stack: Stack, rounds: list[list[Result]], load_average: float) -> Report:
    """Give each loop's fastest round and what is required of them; raises `FailedError` when one was never in time."""
    results = sorted(chain.from_iterable(rounds), key=attrgetter("events_per_s"))
    fastest = {result.loop: result for result in results}  # the last of a loop is its fastest
    if missing := {*REQUIRED} - {*fastest}:
        raise FailedError(f"never in time: {', '.join(sorted(missing))}")
    in_order = [*(peer.loop for peer in PEERS), OURS]
    ours = fastest[OURS].events_per_s
    return Report(
        at=datetime.now(UTC), kafka=stack.kafka.rung, redis=stack.redis.rung, cores=os.cpu_count() or 0,
        load_average=load_average, fastest=[fastest[loop] for loop in in_order if loop in fastest], rounds=rounds,
        ratios=[Ratio(loop, ours / fastest[loop].events_per_s, required) for loop, required in REQUIRED.items()],
    )  # fmt: skip


def _show(report: Report) -> None:
    console = Console()
    table = Table(title=f"One worker process, {report.cores} cores, load average {report.load_average:.1f} before")
    table.add_column("worker loop", no_wrap=True)
    for heading in ("events", "events/s", "CPU µs/event"):
        table.add_column(heading, justify="right")
    for result in report.fastest:
        cpu = "–" if result.cpu_us is None else f"{result.cpu_us:,.1f}"
        table.add_row(result.loop, f"{result.events:,}", f"{result.events_per_s:,.0f}", cpu)
    console.print(table)
    for ratio in report.ratios:
        required = f" (at least {ratio.required:g}: {'no' if ratio.missed else 'yes'})" if ratio.required else ""
        console.print(f"{OURS} / {ratio.loop}: {ratio.ratio:.1f}{required}", highlight=False)


def _last_progress(log: Path) -> dict[str, int]:
    """The numbers in the worker's last progress line."""
    line = next((line for line in reversed(log.read_text().splitlines()) if " INFO progress " in line), "")
    return {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", line)}


def _cpu_s(pid: int) -> float | None:
    """The CPU time that a process has used, in all its threads; None on a system without /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _cpu_us(samples: Sequence[tuple[float, float | None]], start: float, end: float, events: int) -> float | None:
    """CPU microseconds an event between two moments, from the samples nearest to them."""
    known = [(at, cpu) for at, cpu in samples if cpu is not None]
    if not known:
        return None
    first, last = (min(known, key=lambda sample: abs(sample[0] - moment))[1] for moment in (start, end))
    return 1e6 * (last - first) / events


if __name__ == "__main__":
    main()
