"""Whether one monitor, on one core, keeps up with the telemetry of 50 workers: it reads an hour of that."""

import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import httpx
import msgspec
from confluent_kafka import Producer
from rich.console import Console
from rich.progress import Progress

from churn.stack.ports import free_port
from churn.stack.record import Stack
from model.artifact import save
from schemas.status import Status
from schemas.telemetry import SCORE_EDGES, TIME_EDGES_S, ModelCounts, Telemetry, encode_telemetry
from schemas.topics import TELEMETRY
from tests.bench.running import FailedError, how_it_ended, measure, process_of
from tests.bench.worker_loops import site
from tests.conftest import clean_environment
from tests.unit.model.test_training import ARTIFACT
from workers.admin import KafkaAdmin
from workers.monitoring.hours import hour_of

WORKERS = 50
EVERY_S = 5
ANSWERS = 1000  # in each summary
LEAST = 2.0  # times as fast as telemetry comes: a monitor also has something else to do, and may have been away
LIMIT_S = 900.0


class Report(msgspec.Struct, frozen=True):
    """One run; `needed_per_s` is what 50 workers tell a second."""

    at: datetime
    load_average: float
    summaries: int
    seconds: float
    summaries_per_s: float
    needed_per_s: float
    ratio: float

    @property
    def missed(self) -> bool:
        """Whether it could fall behind."""
        return self.ratio < LEAST


def hour_of_telemetry(began: datetime) -> list[Telemetry]:
    """What so many busy workers tell within the hour."""
    version, reference = ARTIFACT.manifest.version, ARTIFACT.reference.features
    features = {name: [17] * len(histogram.counts) for name, histogram in reference.items()}
    model = ModelCounts([13] * (len(SCORE_EDGES) + 1), {"none": 900, "offer-discount": 100}, features)
    return [
        Telemetry(
            process=f"worker-{worker}", kind="score", began=began + timedelta(seconds=start),
            ended=began + timedelta(seconds=start + EVERY_S - 1), counts={"scored": ANSWERS},
            types={"usage.recorded": ANSWERS}, lag=3, partitions=1, models={version: model},
            latency=[24] * (len(TIME_EDGES_S) + 1),
            freshness={name: [250] * 4 for name in reference},
        )
        for start in range(0, 3600, EVERY_S) for worker in range(WORKERS)
    ]  # fmt: skip


def run(folder: Path, stack: Stack, progress: Progress) -> tuple[int, float]:
    """How many summaries there were, and in how many seconds a monitor that started had read them all."""
    kafka = stack.kafka.address
    KafkaAdmin({"bootstrap.servers": kafka}, partitions=1, replication=1).create_missing()
    save(ARTIFACT, folder / "models")
    summaries = hour_of_telemetry(hour_of(datetime.now(UTC)) - timedelta(hours=1))
    producer = Producer({"bootstrap.servers": kafka, "queue.buffering.max.messages": len(summaries)})
    for summary in summaries:
        producer.produce(TELEMETRY, encode_telemetry(summary), summary.process)
    producer.flush()
    port = free_port()
    environment = clean_environment() | {
        "KAFKA_BOOTSTRAP_SERVERS": kafka, "REDIS_URL": stack.redis.address, "CHURN_MODELS": str(folder / "models"),
        "CHURN_LOCAL": str(folder / "monitor"), "CHURN_MONITOR_PORT": str(port),
    }  # fmt: skip
    one_core = "import os, sys; os.sched_setaffinity(0, {0}); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    command = [sys.executable, "-c", one_core, "-m", "churn", "monitor"]
    task = progress.add_task("A monitor reads an hour of telemetry")
    with process_of(command, environment, folder, folder / "monitor.log", LIMIT_S) as process:
        first = 0.0
        while (read := _read(port)) < len(summaries):
            if process.poll() is not None:
                raise FailedError(f"the monitor {how_it_ended(process.returncode, LIMIT_S)}: {folder / 'monitor.log'}")
            first = first or (time.monotonic() if read else 0.0)
            progress.update(task, total=len(summaries), completed=read)
            time.sleep(0.2)
        return len(summaries), time.monotonic() - first


def _read(port: int) -> int:
    """How many summaries are in what it shows."""
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/status", timeout=60).raise_for_status()
    except httpx.TransportError:
        return 0
    status = msgspec.json.decode(answer.content, type=Status)
    return sum(hour.counts.get("scored", 0) for hour in status.hours) // ANSWERS


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def main(as_json: bool) -> None:
    """Measure how fast a monitor reads. Exit code 1 when it could fall behind, 2 when it could not be measured."""
    console = Console(stderr=True)
    load_average = os.getloadavg()[0]

    def measured() -> Report:
        with site(console, lambda sentence: console.print(sentence, highlight=False)) as parts:
            summaries, seconds = run(*parts)
        rate, needed = summaries / seconds, WORKERS / EVERY_S
        return Report(datetime.now(UTC), load_average, summaries, seconds, rate, needed, rate / needed)

    measure(measured, _show, as_json=as_json)


def _show(report: Report) -> None:
    Console().print(
        f"{report.summaries:,} summaries in {report.seconds:.1f} s: {report.summaries_per_s:,.0f} a second on one "
        f"core; {WORKERS} workers tell {report.needed_per_s:g}, so {report.ratio:.0f} times what is needed "
        f"(at least {LEAST:g}: {'no' if report.missed else 'yes'})",
        highlight=False,
    )


if __name__ == "__main__":
    main()
