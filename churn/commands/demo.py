"""`churn demo`: the whole system on real data."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from churn.demo.run import Summary
from churn.demo.run import demo as run_demo
from churn.errors import UserError
from churn.settings import Settings
from churn.stack import ladder


@click.command()
def demo() -> None:
    """Run the whole system on the bundled data, live in the terminal.

    Starts a Kafka and a Redis (those of KAFKA_BOOTSTRAP_SERVERS and REDIS_URL if set), trains a model on half of the
    customers, starts a scoring worker, replays all customers and a handful of bad records, and accounts for every one
    of them. Ends everything that it started. The summary is in .local/demo.json too.
    """
    settings = Settings.load()
    console = Console()
    with ladder.running(
        settings.local / "stack",
        kafka_bootstrap=settings.kafka_bootstrap_servers,
        redis_url=settings.redis_url,
        docker=settings.docker,
        report=console.print,
    ) as stack:
        summary = run_demo(settings, stack, console)
    console.print()
    console.print(_table(summary))
    console.print(f"the same in {settings.local / 'demo.json'}")
    verdict(summary, settings.local / "demo")


def verdict(summary: Summary, folder: Path) -> None:
    """Raise `UserError` unless every record is accounted for."""
    if summary.unaccounted:
        raise UserError(f"{summary.unaccounted:,} records have no answer or two; see {folder}")


def _table(summary: Summary) -> Table:
    title = "every record accounted for" if not summary.unaccounted else "records unaccounted for"
    table = Table(show_header=False, title=title, title_justify="left")
    table.add_row("records in", f"{summary.events:,}")
    table.add_row("scores", f"{summary.scored:,}")
    table.add_row("could not compute", f"{summary.could_not_compute:,}")
    table.add_row("dead letters", f"{summary.dead_letters:,}")
    table.add_row("rate", f"{summary.events_per_s:,.0f} events a second")
    table.add_row("latency, sent to readable", f"p50 {summary.p50_ms:,.1f} ms, p99 {summary.p99_ms:,.1f} ms")
    table.add_row(
        f"on {summary.unseen_customers:,} customers not trained on",
        f"ROC AUC {summary.roc_auc:.3f}, log-loss {summary.log_loss:.3f}, calibration error {summary.ece:.3f}",
    )
    return table
