"""`churn monitor`: the composition root of the monitor."""

import asyncio
import logging
import signal
from collections.abc import Coroutine
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import lru_cache, partial
from importlib.metadata import version
from typing import Any

import click

from churn.access import allowed_keys, insist_free
from churn.alerts import receivers
from churn.logs import start_logging
from churn.parts import broker_errors, insist, kafka_admin
from churn.sentry import start_sentry
from churn.settings import Settings
from model.artifact import ModelError, load
from model.reference import Reference
from schemas.topics import ALERTS, HOURS, OUTCOMES, PAIRS, SCORES, TELEMETRY
from workers.alerts.claims import Claims
from workers.alerts.episodes import Episodes
from workers.alerts.log import AlertLog
from workers.api.metrics import Metrics
from workers.monitoring.connection import connection
from workers.monitoring.index import ScoreIndex
from workers.monitoring.monitor import Joining, Monitor
from workers.monitoring.numbers import Numbers
from workers.monitoring.overview import Overview, Parts
from workers.monitoring.pages import Monitoring, routes
from workers.monitoring.pairs import join
from workers.monitoring.recent import Recent
from workers.monitoring.scores import ScoreReader
from workers.monitoring.site import application, serve
from workers.monitoring.stream import Stream
from workers.monitoring.watch import Watch, look


def _now() -> datetime:
    return datetime.now(UTC)


@click.command()
def monitor() -> None:
    """Watch over everything until told to stop (SIGTERM or Ctrl-C): dashboard, alerts, accuracy.

    Reads churn.telemetry, churn.scores and customer.outcomes, looks at the broker, tells the receivers in ALERT_URLS.
    Several may run: one is active, the others stand by.
    """
    settings = Settings.load()
    keys = allowed_keys(settings, "CHURN_MONITOR_HOST", settings.monitor_host)
    silence_s = settings.silence_s()
    insist_free("CHURN_MONITOR_HOST, CHURN_MONITOR_PORT", settings.monitor_host, settings.monitor_port)
    told, admin = receivers(settings), kafka_admin(settings)
    claims = Claims(settings.redis(), timeout_s=settings.redis_timeout_s)
    with broker_errors(settings):
        existing = admin.existing()
    for topic in (ALERTS, HOURS, OUTCOMES, PAIRS, SCORES, TELEMETRY, *silence_s):
        insist(topic, existing)
    start_logging()
    sentry = start_sentry(settings, "monitor")
    for library in ("faust", "mode"):  # each step of theirs is a line
        logging.getLogger(library).setLevel(logging.WARNING)
    # While a broker is away it says so thirty times a second; librdkafka, which reads beside it, says it sparingly.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    # It waits while its buffer is full, as it should, and says so for every record of a long replay.
    logging.getLogger("faust.transport.producer").setLevel(logging.ERROR)
    folder = settings.local / "monitor"
    index = ScoreIndex(folder / f"scores-{settings.monitor_port}.sqlite")
    reader = ScoreReader(settings.librdkafka(), index)
    recent = Recent(settings.dead_letters_per_minute, _now)
    stream = Stream(
        connection(settings.kafka_python()),
        folder=str(folder),
        caught_up=Joining(admin, settings.group, reader),
        join=partial(join, index=index),
        heard=recent.add,
    )
    watch = Watch(
        lambda: look(admin, settings.group, silence_s), limits_s=silence_s, stalled_s=settings.stalled_s, now=_now
    )
    episodes = Episodes(
        receivers=told, claims=claims, log=AlertLog(settings.librdkafka()),
        runbook_url=settings.runbook_url, reminder_s=settings.alert_reminder_s,
    )  # fmt: skip
    overview = Overview(
        Parts(stream, watch, recent, episodes.records, lru_cache(32)(partial(_reference, settings))),
        drift_window_s=settings.drift_window_s, drift_psi=settings.drift_psi, now=_now,
    )  # fmt: skip
    work = Monitor(
        stream=stream, reader=reader, overview=overview, episodes=episodes,
        beat=sentry.heartbeat, every_s=settings.monitor_every_s,
    )  # fmt: skip
    metrics = Metrics(None, Numbers(stream, watch, episodes, version("churn")).read)
    pages = Monitoring(overview.status, lambda: stream.active, metrics.text, settings.runbook_url)
    site = application(routes(pages), keys, metrics, log_access=settings.api_access_log)
    with closing(index):
        asyncio.run(_until_told(work.run(), serve(site, settings.monitor_host, settings.monitor_port)))


def _reference(settings: Settings, version: str) -> Reference | None:
    """What the version was trained on; None where its folder is not here."""
    with suppress(ModelError):
        return load(settings.models / version).reference
    return None


async def _until_told(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Run all until a signal comes or one fails."""
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    told: asyncio.Future[Any] = asyncio.ensure_future(stopping.wait())
    tasks: list[asyncio.Future[Any]] = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    done, _ = await asyncio.wait([told, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in done - {told}:
        task.result()
    told.cancel()
