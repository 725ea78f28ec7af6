"""The demo from beginning to end: a stack, a model trained on half of the customers, a worker, a replay of all."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.console import Console
from rich.live import Live

from churn.demo.bad import bad_records
from churn.demo.reader import Reader
from churn.demo.screen import screen
from churn.demo.tally import Tally
from churn.errors import UserError
from churn.parts import broker_errors, kafka_admin
from churn.settings import Settings
from churn.stack.record import Stack
from churn.training import half, table_of, train_on
from model.artifact import save, write_whole
from model.metrics import metrics
from producers.client import ChurnEvents
from producers.datasets import IRANIAN_FILE, Dataset, load
from producers.history import SOURCE
from producers.replay import Replay
from schemas.cloudevents import CloudEvent
from schemas.outcomes import OutcomeObserved
from schemas.topics import EVENTS

RATE_PER_S = 1500.0  # slow enough that what is measured is the way of an event and not a queue
READY_TIMEOUT_S = 60.0
PATIENCE_S = 60.0


class Summary(msgspec.Struct):
    """What the demo found; latencies are from an event's sending to its score's reading."""

    events: int
    scored: int
    could_not_compute: int
    dead_letters: int
    unaccounted: int
    events_per_s: float
    p50_ms: float
    p99_ms: float
    unseen_customers: int
    roc_auc: float
    log_loss: float
    ece: float
    kafka: str
    redis: str


def demo(settings: Settings, stack: Stack, console: Console) -> Summary:
    """Run the demo on a stack whose topics are empty; the summary is written to `demo.json` in the local folder too."""
    folder = settings.local / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    settings = msgspec.structs.replace(
        settings,
        kafka_bootstrap_servers=stack.kafka.address,
        redis_url=stack.redis.address,
        models=folder / "models",
    )
    _prepare_topics(settings)
    dataset = load(IRANIAN_FILE)
    seen = half(dataset)
    with console.status(f"training on {len(seen):,} of {len(dataset.outcomes):,} customers"):
        artifact, _ = train_on(table_of(dataset, seen), f"{dataset.name}, one half")
        save(artifact, settings.models)
    console.print(f"model {artifact.manifest.version} trained on {len(seen):,} of {len(dataset.outcomes):,} customers")
    tally = Tally()
    with _worker(settings, folder / "score.log", console), Reader(settings.librdkafka(), tally):
        seconds = _replay(settings, dataset, tally, console)
    summary = _summary(dataset, seen, tally, seconds, stack)
    write_whole(settings.local / "demo.json", msgspec.json.format(msgspec.json.encode(summary)) + b"\n")
    return summary


def _prepare_topics(settings: Settings) -> None:
    admin = kafka_admin(settings)
    with broker_errors(settings):
        created = admin.create_missing()
        held = 0 if EVENTS in created else admin.records(EVENTS)
    if held:
        raise UserError(
            f"{EVENTS} at {settings.kafka_bootstrap_servers} holds {held:,} records already; the demo needs it empty "
            "(`churn stack down` ends a local stack)"
        )


@contextmanager
def _worker(settings: Settings, log: Path, console: Console) -> Iterator[None]:
    """A scoring worker as a process of its own, ready to work; SIGTERM at the end."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "churn", "score"], env=os.environ | settings.environment(), stderr=file
        )
    try:
        with console.status("starting the scoring worker"):
            _wait_until(lambda: log.read_text().count("partition started") >= settings.partitions, process, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:  # pragma: no cover - a worker ends in time; this is for one that does not
            process.kill()
            process.wait()


def _wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline_s = time.monotonic() + READY_TIMEOUT_S
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline_s:
            raise UserError(f"the scoring worker does not work; see {log}")
        time.sleep(0.05)


def _replay(settings: Settings, dataset: Dataset, tally: Tally, console: Console) -> float:
    """Send everything while showing what comes back; returns the seconds until the last answer, or until none comes."""
    bad = bad_records()
    total = len(dataset.events) + len(bad)
    spacing = len(dataset.events) // len(bad)
    started_s = time.perf_counter()
    with (
        Live(get_renderable=lambda: screen(tally.view(), total), console=console, refresh_per_second=4),
        ChurnEvents(settings.kafka_python(), source=SOURCE) as client,
    ):

        def before_send(record: CloudEvent) -> None:
            if bad and tally.sent() % spacing == spacing - 1:
                one = bad.pop()
                tally.sending(one.event_id)
                client.send_unchecked(one.value, key=one.key)
            if not isinstance(record, OutcomeObserved):
                tally.sending(record.id)

        Replay(client, dataset, checkpoints=settings.local / "demo", rate=RATE_PER_S, before_send=before_send).run()
        client.flush()
        deadline_s = time.perf_counter() + PATIENCE_S
        while tally.unaccounted() and time.perf_counter() < deadline_s:
            time.sleep(0.05)  # pragma: no cover - while the outcomes were sent, the last answers have come
    return tally.last_answer_s - started_s


def _summary(dataset: Dataset, seen: set[str], tally: Tally, seconds: float, stack: Stack) -> Summary:
    """Add up; accuracy is that of each unseen customer's last score."""
    unseen = [o for o in dataset.outcomes if o.subject not in seen and o.subject in tally.last]
    probabilities = [tally.last[outcome.subject].data.probability or 0.0 for outcome in unseen]
    accuracy = metrics([outcome.data.churned for outcome in unseen], probabilities)
    p50_ms, p99_ms = tally.latency_ms()
    return Summary(
        events=tally.sent(),
        scored=tally.counts["scored"],
        could_not_compute=tally.counts["could-not-compute"],
        dead_letters=tally.counts["dead-letter"],
        unaccounted=tally.unaccounted(),
        events_per_s=round(tally.sent() / seconds, 1),
        p50_ms=round(p50_ms, 1),
        p99_ms=round(p99_ms, 1),
        unseen_customers=len(unseen),
        roc_auc=round(accuracy.roc_auc, 4),
        log_loss=round(accuracy.log_loss, 4),
        ece=round(accuracy.ece, 4),
        kafka=stack.kafka.rung,
        redis=stack.redis.rung,
    )
