"""`churn score`: the composition root of the scoring worker."""

import gc
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path

import click

from churn.errors import UserError
from churn.logs import start_logging
from churn.parts import feature_store, partitions, scorer
from churn.sentry import start_sentry
from churn.settings import Settings
from model.scoring import Scorer
from schemas.topics import EVENTS
from workers.exposition import served
from workers.scoring.account import Watcher
from workers.scoring.batch import Rules
from workers.scoring.log import Log
from workers.scoring.metrics import WorkerMetrics
from workers.scoring.progress import Progress
from workers.scoring.telemetry import StreamTelemetry
from workers.scoring.worker import ScoringWorker
from workers.telemetry.publisher import Publisher
from workers.telemetry.summaries import Summaries, process_name


def _heartbeat(settings: Settings) -> Path | None:
    if not settings.heartbeat:
        return None
    file = Path(settings.heartbeat)
    if not file.parent.is_dir():
        raise UserError(f"CHURN_HEARTBEAT={file}: its folder does not exist")
    return file


@contextmanager
def _watchers(settings: Settings, model: Scorer) -> Iterator[list[Watcher]]:
    """Those who watch the worker, as long as the context lasts."""
    watchers: list[Watcher] = [Progress(_heartbeat(settings), settings.dead_letters_per_minute)]
    with ExitStack() as stack:
        if settings.telemetry_every_s:
            summaries = Summaries(process_name(), "score", lambda: datetime.now(UTC))
            telemetry = StreamTelemetry(summaries, Publisher(settings.librdkafka()), settings.telemetry_every_s)
            watchers.append(stack.enter_context(closing(telemetry)))
        if settings.metrics_port:
            metrics = WorkerMetrics(model.artifact.manifest.version, version("churn"))
            try:
                stack.enter_context(served(settings.metrics_port, metrics.read))
            except OSError as error:
                raise UserError(f"CHURN_METRICS_PORT={settings.metrics_port}: {error.strerror}") from None
            watchers.append(metrics)
        yield watchers


@click.command()
def score() -> None:
    """Score customer events until told to stop (SIGTERM or Ctrl-C).

    Reads customer.events, publishes churn.scores and customer.events.dlq, keeps each customer's state in Redis. Start
    as many as there are partitions; they share the work. Logs a line a second: events, scores, dead letters, rate, lag.
    """
    settings = Settings.load()
    start_logging()
    sentry = start_sentry(settings, "score")
    log = partial(Log, settings.librdkafka(), topic=EVENTS, group=settings.group, worker_id=settings.worker_id)
    store, model = feature_store(settings), scorer(settings)
    rules = Rules(partitions(settings), int(settings.clock_skew_s * 1000))
    with _watchers(settings, model) as watchers:
        worker = ScoringWorker(
            log, store, model, rules, batch_records=settings.batch_records, watchers=watchers, trace=sentry.trace
        )
        sentry.context = worker.in_hand
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop())
        # What the start made is here to stay, and a batch makes tens of thousands of objects that its end frees without
        # the collector: looking through them all, again and again, would take a sixth of the time.
        gc.freeze()
        gc.set_threshold(200_000, 50, 50)
        worker.run()
