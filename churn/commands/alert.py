"""`churn alert`: try the receivers of alerts, list what is wrong."""

import logging
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from churn.alerts import alert_log, receivers
from churn.errors import UserError
from churn.letters import safe
from churn.parts import broker_errors
from churn.settings import Settings
from schemas.alerts import AlertRecord
from workers.alerts.catalogue import TEST
from workers.alerts.message import message_of

SHOWN_RECORDS = 20
ARRIVED, FAILED = click.style("✓", fg="green"), click.style("✗", fg="red", bold=True)


@click.group()
def alert() -> None:
    """Try the receivers of alerts, list what is wrong."""
    for name in ("kafka", "workers"):  # what matters of it comes back as a result or an error
        logging.getLogger(name).setLevel(logging.CRITICAL)


@alert.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for programs.")
@click.pass_context
def test(context: click.Context, *, as_json: bool) -> None:
    """Send a test to every receiver in ALERT_URLS.

    Also to those that get some alerts only. Says of each whether it took the message; exit code 1 when one did not. One
    that does not answer is tried for half a minute.
    """
    settings = Settings.load()
    everybody = receivers(settings)
    if not everybody.names:
        raise UserError("ALERT_URLS is not set; expected Apprise URLs, see docs/how-to/get-alerts.md")
    now = datetime.now(UTC)
    trial = TEST.alert("This is a test: somebody ran `churn alert test`. Nothing is wrong.", since=now)
    message = message_of(AlertRecord(alert=trial, state="raised", at=now), settings.runbook_url)
    told = everybody.tell(message, everybody.names).result()
    if as_json:
        found = [{"receiver": name, "arrived": why is None, "why": why} for name, why in told.items()]
        click.echo(msgspec.json.encode({"receivers": found}))
    else:
        for name, why in told.items():
            click.echo(f"{FAILED} {name}: {why}" if why else f"{ARRIVED} {name}")
    if any(told.values()):
        context.exit(1)


@alert.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for programs.")
def list_(*, as_json: bool) -> None:
    """List what is wrong now, and what was told lately.

    Both are read from the topic churn.alerts, the newest first.
    """
    settings = Settings.load()
    with broker_errors(settings), closing(alert_log(settings)) as log:
        records = sorted(log.news(), key=lambda record: record.at)  # several monitors may publish late
    last = {record.alert.subject: record for record in records}
    wrong = [record for record in reversed(last.values()) if record.open]
    recent = records[: -SHOWN_RECORDS - 1 : -1]
    if as_json:
        click.echo(msgspec.json.encode({"open": wrong, "recent": recent}))
        return
    if wrong:
        Console().print(_table("what is wrong now", wrong))
    click.echo(f"{len(wrong)} open" if wrong else "nothing is wrong")
    if recent:
        Console().print(_table("what was told lately", recent))


def _table(title: str, records: Iterable[AlertRecord]) -> Table:
    table = Table(box=None, pad_edge=False, title=title, title_justify="left")
    for name in ("when (UTC)", "state", "severity", "alert"):
        table.add_column(name, no_wrap=True)
    table.add_column("summary", overflow="fold")
    table.add_column("not told", overflow="fold")
    for record in records:
        told = [record.state, record.alert.severity, record.alert.subject.rstrip("/"), record.alert.summary]
        cells = [f"{record.at.astimezone(UTC):%F %T}", *told, ", ".join(record.undelivered)]
        table.add_row(*(Text(safe(cell)) for cell in cells))
    return table
