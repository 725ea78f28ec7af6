"""What the monitor answers over HTTP: the dashboard, the same as JSON, whether it lives and is the active one."""

import asyncio
from collections.abc import Callable
from importlib.resources import files
from typing import NamedTuple

from schemas.alerts import AlertRecord
from schemas.status import Shift, Status
from workers.api import words
from workers.api.health import HealthChecks
from workers.api.html import environment
from workers.api.messages import HTML, Request, Response, answer
from workers.api.problems import ApiError
from workers.api.routes import Route
from workers.monitoring import parts, tables
from workers.monitoring.summary import sentences, tiles
from workers.monitoring.tables import Table

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'none'"
)
STATIC = {
    "style.css": ("workers.api", "templates", "text/css"),
    "dashboard.css": ("workers.monitoring", "static", "text/css"),
    "dashboard.js": ("workers.monitoring", "static", "text/javascript"),
    "charts.js": ("workers.monitoring", "static", "text/javascript"),
    "chart.umd.min.js": ("workers.monitoring", "static", "text/javascript"),
}
_TABLES: tuple[Callable[[Status], Table], ...] = (
    tables.answers, tables.requests, tables.scores, tables.accuracy, tables.segments, tables.expected,
    tables.calibration, tables.drift, tables.freshness, tables.errors, tables.problems, parts.processes, parts.topics,
    parts.models, parts.recent_alerts,
)  # fmt: skip
_ENVIRONMENT = environment("workers.monitoring")
_ENVIRONMENT.globals.update(words=words)


class Monitoring(NamedTuple):
    """What the pages are made of: how the system does, whether this monitor is the active one, counts, the runbook.

    `status` is called in the loop, where nothing changes meanwhile.
    """

    status: Callable[[], Status]
    active: Callable[[], bool]
    metrics: Callable[[], bytes]
    runbook_url: str


class Drifting(NamedTuple):
    """A feature in the list of shifts: its name, numbers, and distribution."""

    key: str
    name: str
    psi: float
    drifted: bool
    table: Table


def routes(monitoring: Monitoring) -> list[Route]:
    """Everything that the monitor answers."""
    health = HealthChecks(
        lambda: _standing(monitoring), monitoring.metrics, problem="standby",
        about="503 while another monitor is the active one.",
    )  # fmt: skip
    return [
        Route("GET", "/", lambda _: _dashboard(monitoring), "admin", "The dashboard", str, media=(HTML,)),
        Route("GET", "/status", lambda _: _status(monitoring), "admin", "The same numbers", Status),
        *health.routes(),
        Route("GET", "/static/{name}", _static, None, "What the dashboard loads", str),
    ]


def dashboard(status: Status, runbook_url: str) -> Response:
    """The page; its script draws the charts from the tables that are in it."""
    html = _ENVIRONMENT.get_template("dashboard.html").render(
        status=status,
        tiles=tiles(status),
        said=sentences(status),
        tables={table.id: table for table in (make(status) for make in _TABLES)},
        drifting=[_drifting(shift) for shift in tables.features(status)],
        runbook=lambda record: _runbook(record, runbook_url),
        clock=tables.clock,
    )
    return Response(200, html.encode(), HTML, ((b"content-security-policy", POLICY.encode()),))


async def _dashboard(monitoring: Monitoring) -> Response:
    return await asyncio.to_thread(dashboard, monitoring.status(), monitoring.runbook_url)


async def _status(monitoring: Monitoring) -> Response:
    return answer(monitoring.status())


async def _static(request: Request) -> Response:
    found = STATIC.get(name := request.path["name"])
    if found is None:
        raise ApiError("not-found", "there is nothing at this path; see /")
    package, folder, media = found
    body = await asyncio.to_thread((files(package) / folder / name).read_bytes)
    return Response(200, body, f"{media}; charset=utf-8")


def _standing(monitoring: Monitoring) -> None:
    if not monitoring.active():
        raise ApiError("standby", "another monitor has the topics, or none has them yet")


def _drifting(shift: Shift) -> Drifting:
    name = words.name(shift.name)
    table = tables.distribution(shift, "", f"{name} now and in training")
    return Drifting(shift.name, name, shift.psi, shift.drifted, table)


def _runbook(record: AlertRecord, url: str) -> str:
    """Where to read what to do; empty where a browser cannot go."""
    return f"{url}#{record.alert.kind}" if url.startswith(("http://", "https://")) else ""
