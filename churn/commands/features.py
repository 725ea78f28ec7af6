"""`churn features`: look at a customer's features, make all of them anew."""

import time

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from churn.errors import UserError
from churn.parts import broker_errors, feature_store, kafka_admin, partitions, store_errors
from churn.settings import Settings
from churn.tables import feature_table
from model.features import FEATURES
from model.scoring import feature_values
from model.vector import Vectorizer
from schemas.cloudevents import from_ms
from schemas.http import CustomerFeatures
from schemas.partitioning import partition_of

WATCH_S = 0.5


@click.group()
def features() -> None:
    """A customer's features; make them anew from the log."""


@features.command()
@click.argument("customer")
@click.option("--json", "as_json", is_flag=True, help="Print the features as JSON.")
def show(customer: str, as_json: bool) -> None:
    """Show every feature of CUSTOMER as of the customer's newest event, with age and freshness."""
    settings = Settings.load()
    store = feature_store(settings)
    with store_errors():
        snapshot = store.read(partition_of(customer, partitions(settings)), [customer])
    state = snapshot.states.get(customer)
    if state is None:
        raise UserError(f"customer {customer!r} is not known: no event of theirs has been scored")
    vectorizer = Vectorizer(FEATURES)
    matrix = vectorizer.matrix([vectorizer.read(state, state.newest_ms)])
    (cells,) = feature_values([f.name for f in FEATURES], matrix)
    if as_json:
        click.echo(msgspec.json.encode(CustomerFeatures(customer, from_ms(state.newest_ms), cells)))
        return
    Console().print(feature_table(cells, f"{customer} as of {from_ms(state.newest_ms):%F %T} UTC"))


@features.command()
@click.option("--timeout", "timeout_s", default=3600.0, show_default=True, help="Seconds to wait for the workers.")
def rebuild(timeout_s: float) -> None:
    """Forget every customer's features and have the scoring workers make them anew from the log.

    The workers notice by themselves and go back to the beginning; nothing is published twice. Ctrl-C stops the watching
    and not the work.
    """
    settings = Settings.load()
    store, admin = feature_store(settings), kafka_admin(settings)
    numbers = range(partitions(settings))
    with broker_errors(settings):
        goals = admin.committed(settings.group)
        workers = admin.members(settings.group)
    with store_errors():
        for number in numbers:
            store.clear(number)
    if workers == 0:
        click.echo("Forgotten. No scoring worker runs; the next one to start makes the features anew.")
        return
    columns = TextColumn("making features anew"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    deadline = time.monotonic() + timeout_s
    with Progress(*columns, console=Console(stderr=True)) as progress, store_errors():
        task = progress.add_task("", total=sum(goals.values()))
        while not progress.finished:
            applied = {number: store.read(number, ()).applied or 0 for number in goals}
            progress.update(task, completed=sum(min(applied[number], goal) for number, goal in goals.items()))
            if time.monotonic() > deadline:
                raise UserError(f"not finished after {timeout_s:g} s; the workers go on")
            time.sleep(WATCH_S)
