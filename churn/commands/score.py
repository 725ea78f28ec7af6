"""`churn score`: the composition root of the scoring worker."""

import gc
import signal
from functools import partial
from pathlib import Path

import click

from churn.errors import UserError
from churn.logs import start_logging
from churn.parts import feature_store, partitions, scorer
from churn.sentry import start_sentry
from churn.settings import Settings
from schemas.topics import EVENTS
from workers.scoring.batch import Rules
from workers.scoring.log import Log
from workers.scoring.progress import Progress
from workers.scoring.worker import ScoringWorker


def _heartbeat(settings: Settings) -> Path | None:
    if not settings.heartbeat:
        return None
    file = Path(settings.heartbeat)
    if not file.parent.is_dir():
        raise UserError(f"CHURN_HEARTBEAT={file}: its folder does not exist")
    return file


@click.command()
def score() -> None:
    """Score customer events until told to stop (SIGTERM or Ctrl-C).

    Reads customer.events, publishes churn.scores and customer.events.dlq, keeps each customer's state in Redis. Start
    as many as there are partitions; they share the work. Logs a line a second: events, scores, dead letters, rate, lag.
    """
    settings = Settings.load()
    start_logging()
    sentry = start_sentry(settings, "score")
    worker = ScoringWorker(
        partial(Log, settings.librdkafka(), topic=EVENTS, group=settings.group, worker_id=settings.worker_id),
        feature_store(settings),
        scorer(settings),
        Rules(partitions(settings), int(settings.clock_skew_s * 1000)),
        batch_records=settings.batch_records,
        progress=Progress(_heartbeat(settings), settings.dead_letters_per_minute),
        trace=sentry.trace,
    )
    sentry.context = worker.in_hand
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    # What the start made is here to stay, and a batch makes tens of thousands of objects that its end frees without
    # the collector: looking through them all, again and again, would take a sixth of the time.
    gc.freeze()
    gc.set_threshold(200_000, 50, 50)
    worker.run()
