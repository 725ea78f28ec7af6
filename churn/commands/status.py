"""`churn status`: ask the monitor how the whole system does."""

from collections.abc import Callable

import click
import httpx
import msgspec
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from churn.errors import UserError
from churn.letters import safe
from churn.settings import Settings
from producers.errors import RequestRefusedError
from producers.predictions import asking, checked
from schemas.errors import InvalidRecordError, decoded
from schemas.http import ProblemDetails
from schemas.status import Status
from workers.api import words
from workers.monitoring import parts, tables
from workers.monitoring.summary import sentences, tiles
from workers.monitoring.tables import Table

TIMEOUT_S = 5.0
SHOWN_ROWS = 12
_KEY_PROBLEMS = {401, 403}
# What a terminal has room for; of the first two the newest rows, which are the last.
_TABLES: tuple[Callable[[Status], Table], ...] = (
    tables.answers, tables.accuracy, parts.open_alerts, tables.drift, tables.errors, tables.problems, tables.freshness,
    parts.processes, parts.topics, parts.models, tables.expected,
)  # fmt: skip
_NEWEST_LAST = {"answers", "accuracy"}
_decode = msgspec.json.Decoder(Status).decode
_problem = msgspec.json.Decoder(ProblemDetails).decode


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print everything, as the monitor gives it.")
@click.pass_context
def status(context: click.Context, *, as_json: bool) -> None:
    """Print whether the system is healthy, then what its dashboard shows.

    The monitor is the one at CHURN_MONITOR_URL, the key for it CHURN_API_KEY. Exit code 1 when it is not healthy, 2
    when the monitor does not answer.
    """
    found = _asked(Settings.load())
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        _show(found)
    if not found.healthy:
        context.exit(1)


def _asked(settings: Settings) -> Status:
    """What the monitor says; raises `UserError` with the setting that may mend it."""
    try:
        url, headers = checked(settings.monitor_url).rstrip("/"), asking(settings.api_key or None)
    except RequestRefusedError as error:
        raise UserError(f"CHURN_MONITOR_URL, CHURN_API_KEY: {error}") from None
    where = f"CHURN_MONITOR_URL: {url}"
    try:
        response = httpx.get(f"{url}/status", headers=headers, timeout=TIMEOUT_S)
    except httpx.TimeoutException:
        raise UserError(f"{where}: no answer within {TIMEOUT_S:g} s") from None
    except httpx.HTTPError as error:
        reason = safe(str(error)) or type(error).__name__
        raise UserError(f"{where}: {reason}; if no monitor runs, start it with `churn monitor`") from None
    if response.status_code != httpx.codes.OK:
        setting = "CHURN_API_KEY: " if response.status_code in _KEY_PROBLEMS else ""
        raise UserError(f"{setting}{where}: {_refusal(response)}")
    try:
        return decoded(_decode, response.content)
    except InvalidRecordError as error:
        raise UserError(f"{where}: the answer is not a monitor's: {safe(str(error))}") from None


def _refusal(response: httpx.Response) -> str:
    try:
        problem = decoded(_problem, response.content)
    except InvalidRecordError:
        return f"HTTP {response.status_code}, and not in the words of a monitor"
    return safe(f"{problem.title}: {problem.detail}")


def _show(found: Status) -> None:
    """The headline first, then the numbers, then what is in tables; nothing of it is taken for rich's markup."""
    console = Console()
    healthy = Text("healthy", "bold green") if found.healthy else Text("not healthy", "bold red")
    console.print(Text.assemble(healthy, ": ", safe(words.sentence(found.sentence))), soft_wrap=True)
    console.print(Text(f"as of {found.at:%F %T} UTC", "dim"))
    for tile in tiles(found):
        console.print(Text(f"{tile.name:<18} {tile.value:>10}  {tile.note}"), soft_wrap=True)
    said = sentences(found)
    for make in _TABLES:
        table = make(found)
        console.print()
        console.print(Text(table.title, "bold"))
        if table.rows:
            if sentence := said.get(table.id):
                console.print(Text(safe(sentence)), soft_wrap=True)
            console.print(_table(table))
        else:
            console.print(Text(table.empty), soft_wrap=True)


def _table(table: Table) -> RichTable:
    shown = table.rows[-SHOWN_ROWS:] if table.id in _NEWEST_LAST else table.rows[:SHOWN_ROWS]
    result = RichTable(box=None, pad_edge=False, header_style="dim")
    for column in table.columns:
        result.add_column(Text(safe(column.name)), justify="right" if column.number else "left", overflow="fold")
    for row in shown:
        result.add_row(*(Text(safe(cell.text)) for cell in row))
    if more := len(table.rows) - len(shown):
        result.caption = f"{more} more; all of them with --json, or on the dashboard"
        result.caption_justify = "left"
    return result
