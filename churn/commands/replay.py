"""`churn replay`: publish a table of customers as the events that they once were."""

import logging
from pathlib import Path
from time import monotonic

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from churn.errors import UserError
from churn.settings import Settings
from churn.stack.signals import signals_call
from producers import replay as producers_replay
from producers.client import ChurnEvents
from producers.datasets import IRANIAN_FILE, load
from producers.errors import ProducersError
from producers.history import SOURCE
from producers.replay import Replay
from schemas.topics import EVENTS, OUTCOMES


class _Totals:
    """What one run sent by topic, and the bars that show it."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks = {topic: bars.add_task(topic, total=None) for topic in (EVENTS, OUTCOMES)}
        self._first: dict[str, int] = {}
        self._last: dict[str, int] = {}

    def show(self, progress: producers_replay.Progress) -> None:
        """Move the topic's bar."""
        self._first.setdefault(progress.topic, progress.sent)
        self._last[progress.topic] = progress.sent
        self._bars.update(self._tasks[progress.topic], completed=progress.sent, total=progress.total)

    def sent(self, topic: str) -> int:
        """How many records this run sent to `topic`."""
        return self._last.get(topic, 0) - self._first.get(topic, 0)


@click.command()
@click.argument("file")
@click.option("--rate", type=float, help="Records a second; as fast as it goes unless given.")
@click.option("--again", is_flag=True, help="Publish all of it once more; what is repeated is then counted twice.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def replay(file: str, rate: float | None, again: bool, as_json: bool) -> None:
    """Publish the customers in FILE: their events to customer.events, then what became of them to customer.outcomes.

    FILE is a CSV file of one of the data sets that are known by their header, or the word iranian for the one that
    comes along. Ctrl-C stops it; the same command goes on from there.
    """
    settings = Settings.load()
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what matters of it comes back as an error
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    started_s = monotonic()
    try:
        dataset = load(IRANIAN_FILE if file == "iranian" else Path(file))
        with (
            ChurnEvents(settings.kafka_python(), source=SOURCE) as client,
            Progress(*columns, console=console, disable=not console.is_terminal) as bars,
        ):
            totals = _Totals(bars)
            run = Replay(
                client, dataset, checkpoints=settings.local / "replay", rate=rate, on_progress=totals.show
            )  # fmt: skip
            if again:
                run.forget()
            with signals_call(run.stop):
                finished = run.run()
    except ProducersError as error:
        raise UserError(str(error)) from None
    seconds = monotonic() - started_s
    events, outcomes = totals.sent(EVENTS), totals.sent(OUTCOMES)
    if as_json:
        result = {"dataset": dataset.name, "events": events, "outcomes": outcomes, "seconds": round(seconds, 3)}
        click.echo(msgspec.json.encode({**result, "finished": finished}))
    else:
        ending = "" if finished else "; stopped before the end, the same command goes on"
        click.echo(f"{dataset.name}: {events:,} events and {outcomes:,} outcomes in {seconds:.1f} s{ending}")
    if not finished:
        raise click.Abort
