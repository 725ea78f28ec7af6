"""Sentry: what is logged as an ERROR is an issue there, and so is what nobody caught, since that is logged too.

What is sent is decided in `churn/reports.py`. Without SENTRY_DSN nothing is.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from typing import Any

import sentry_sdk
from sentry_sdk.crons import capture_checkin
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.types import MonitorConfig
from sentry_sdk.utils import Dsn

from churn.errors import UserError
from churn.logs import Sparing
from churn.privacy import OURS
from churn.reports import allowed
from churn.settings import Settings
from workers.traces import Trace, untraced

FLUSH_S = 2.0
HEARTBEAT = "churn-monitor"
# A minute without a heartbeat may be a restart; two in a row are an issue.
_EXPECTED: MonitorConfig = {
    "schedule": {"type": "interval", "value": 1, "unit": "minute"},
    "checkin_margin": 1,
    "max_runtime": 1,
    "failure_issue_threshold": 2,
    "recovery_threshold": 1,
}


class Sentry:
    """What one process tells; `context` says what it is at, when something is told, as the `extra` of a log record."""

    def __init__(self, process: str, trace: Trace = untraced) -> None:
        self._process = process
        self.trace = trace
        self.context: Callable[[], Mapping[str, object]] = dict

    def allowed(self, event: Any, _: Any) -> Any:
        """What may be sent of an event; the SDK drops it when this fails."""
        context: Mapping[str, object] = {}
        with suppress(Exception):  # a process that is broken tells of that at least
            context = self.context()
        return allowed(event, self._process, context)

    def heartbeat(self, well: bool = True) -> None:
        """Tell Sentry Crons that the monitor lives, and whether what it sees is well; returns at once, never raises."""
        with suppress(Exception):
            capture_checkin(monitor_slug=HEARTBEAT, status="ok" if well else "error", monitor_config=_EXPECTED)

    def flush(self) -> None:
        """Wait until everything is sent, 2 s at most: for a process that ends without Python's exit handlers."""
        sentry_sdk.flush(timeout=FLUSH_S)


def check_sentry(settings: Settings) -> None:
    """Raise `UserError` when SENTRY_DSN is none."""
    try:
        if settings.sentry_dsn:
            Dsn(settings.sentry_dsn)
    except ValueError:  # its message quotes a part of it
        raise UserError("SENTRY_DSN=***: expected https://key@host/number, as Sentry shows it") from None


def start_sentry(settings: Settings, process: str) -> Sentry:
    """Report from now on, in this process; `process` is its name there. Raises `UserError`."""
    check_sentry(settings)
    if not settings.sentry_dsn:
        return Sentry(process)
    sentry = Sentry(process, _timed(process) if settings.traces_share else untraced)
    sentry_sdk.init(
        dsn=settings.sentry_dsn,
        release=f"churn@{version('churn')}",
        environment=settings.environment_name,
        before_send=sentry.allowed,
        before_send_transaction=sentry.allowed,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        traces_sample_rate=settings.traces_share,
        shutdown_timeout=FLUSH_S,
        in_app_include=sorted(OURS),
        # No other: most of them read requests, queries and commands. And send_default_pii is not set, which is False.
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[
            LoggingIntegration(level=None, event_level=logging.ERROR, sentry_logs_level=None),
            AtexitIntegration(callback=lambda *_: None),
        ],
        debug=False,
        spotlight=False,
    )
    logging.getLogger("urllib3.connectionpool").addFilter(Sparing())  # while Sentry is away
    return sentry


def _timed(process: str) -> Trace:
    @contextmanager
    def trace(name: str) -> Iterator[None]:
        # It is not put into the scope: requests that are in flight together share that.
        transaction = sentry_sdk.start_transaction(name=name, op=process)
        try:
            yield
        finally:
            transaction.finish()

    return trace
