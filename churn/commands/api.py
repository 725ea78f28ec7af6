"""`churn api`: the composition root of the HTTP API."""

import asyncio
import gc
import logging
import os
import signal
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import click
import msgspec
from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server

from churn.access import allowed_keys, insist_free, split
from churn.logs import start_logging
from churn.parts import feature_store, model_errors, scorer_of
from churn.sentry import Sentry, check_sentry, start_sentry
from churn.settings import Settings
from model.artifact import newest
from workers.api.app import Admission, Api, RequestCounts
from workers.api.batches import Answering
from workers.api.health import HealthChecks, answers
from workers.api.keys import Keys
from workers.api.messages import Limits
from workers.api.models import Models
from workers.api.rate import RateLimit
from workers.api.table import all_routes
from workers.api.telemetry import ApiTelemetry
from workers.metrics import INFO, MODEL_INFO, Values
from workers.telemetry.publisher import Publisher
from workers.telemetry.summaries import Summaries, process_name

logger = logging.getLogger(__name__)

PARENT_EVERY_S = 1.0
HEADERS_TIMEOUT_S = 10
STOP_TIMEOUT_S = 20
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


@click.command()
@click.option("--host", help="Where to listen, in place of CHURN_API_HOST.")
@click.option("--port", type=click.IntRange(1, 65_535), help="In place of CHURN_API_PORT.")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes, in place of CHURN_API_PROCESSES.")
def api(host: str | None, port: int | None, workers: int | None) -> None:
    """Answer over HTTP until told to stop (SIGTERM or Ctrl-C): GET /predict?customer=1234, and more at /docs.

    Reads the features that the scoring workers keep in Redis, and the newest model in CHURN_MODELS; a newer one is
    taken up while requests are answered. Keys for clients are made with `churn key`.
    """
    settings = Settings.load()
    given = {"api_host": host, "api_port": port, "api_processes": workers}
    settings = msgspec.structs.replace(settings, **{name: value for name, value in given.items() if value})
    keys = allowed_keys(settings, "CHURN_API_HOST", settings.api_host)
    _check(settings)
    start_logging()
    main = os.getpid()
    with tempfile.TemporaryDirectory() as folder:
        if settings.api_processes > 1:
            os.environ[METRICS_FOLDER] = folder  # the library takes it from nowhere else, when it is imported
        server = Server(
            "churn",
            address=settings.api_host,
            port=settings.api_port,
            interface=Interfaces.ASGI,
            workers=settings.api_processes,
            websockets=False,
            http1_settings=HTTP1Settings(header_read_timeout=HEADERS_TIMEOUT_S * 1000),
            respawn_failed_workers=True,
            workers_kill_timeout=STOP_TIMEOUT_S,
            log_level=LogLevels.warning,
            log_dictconfig={"handlers": {}, "loggers": {}},  # ours, which are at the root
        )
        server.serve(target_loader=lambda: _started(settings, keys, folder, main), wrap_loader=False)


def _started(settings: Settings, keys: Keys, folder: str, main: int) -> Any:
    """The application of this process, which `main` has started: Sentry's threads do not survive a fork."""
    sentry = start_sentry(settings, "api")
    try:
        return application(settings, keys, folder, main, sentry)
    except Exception:
        logger.exception("a process of the API cannot start")
        sentry.flush()
        raise SystemExit(1) from None  # the server would print what was caught, with all that it quotes


def application(settings: Settings, keys: Keys, folder: str, main: int, sentry: Sentry) -> Any:
    """The application of one process that `main` has started; several share their counts by way of `folder`."""
    # Imported here, so that the library of the metrics finds its folder.
    from workers.api.metrics import Metrics  # noqa: PLC0415

    release = version("churn")
    store = feature_store(settings)
    models = Models(lambda: newest(settings.models), lambda folder: scorer_of(folder, settings))
    metrics = Metrics(folder if settings.api_processes > 1 else None, lambda: _what_runs(models, release))
    telemetry = _telemetry(settings, metrics)
    answering = Answering(
        store, models, partitions=settings.partitions, clock_ms=lambda: time.time_ns() // 1_000_000, counts=telemetry
    )
    health = HealthChecks(answers(store), metrics.text)
    routes = all_routes(answering, models, health, release, settings.api_batch_rows)
    admission = Admission(
        keys,
        RateLimit(settings.api_rate_per_s, time.monotonic),
        Limits(settings.api_body_bytes, settings.api_body_timeout_s),
        frozenset(split(settings.api_origins)),
    )
    sentry.context = lambda: {"model_version": models.scorer.artifact.manifest.version}
    gc.freeze()

    async def run() -> None:
        try:
            await asyncio.gather(models.watch(), _end_with(main), *([telemetry.run()] if telemetry else []))
        finally:
            sentry.flush()  # the server ends its processes without Python's exit handlers

    counts = telemetry or metrics
    return Api(routes, admission, counts, start=run, log_access=settings.api_access_log, trace=sentry.trace)


def _telemetry(settings: Settings, requests: RequestCounts) -> ApiTelemetry | None:
    """What tells of this process; an API whose settings name no broker tells nobody."""
    if not (settings.telemetry_every_s and settings.kafka_bootstrap_servers):
        return None
    summaries = Summaries(process_name(), "api", lambda: datetime.now(UTC))
    return ApiTelemetry(summaries, Publisher(settings.librdkafka()), settings.telemetry_every_s, requests)


def _what_runs(models: Models, release: str) -> list[Values]:
    return [
        Values(INFO, {("api", release): 1}),
        Values(MODEL_INFO, {(models.scorer.artifact.manifest.version,): 1}),
    ]


async def _end_with(main: int) -> None:
    """End when the process that started this one is gone: nobody else would tell it to."""
    while os.getppid() == main:
        await asyncio.sleep(PARENT_EVERY_S)
    logger.error("the main process is gone; ending")
    os.kill(os.getpid(), signal.SIGTERM)


def _check(settings: Settings) -> None:
    """What a process would fail on; raises `UserError`."""
    check_sentry(settings)
    feature_store(settings).close()
    with model_errors():
        scorer_of(newest(settings.models), settings)
    insist_free("CHURN_API_HOST, CHURN_API_PORT", settings.api_host, settings.api_port)
