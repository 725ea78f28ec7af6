"""`churn stack up | down | status`: a Kafka and a Redis on this machine."""

import shlex

import click
import msgspec

from churn.settings import Settings
from churn.stack import ladder


@click.group()
def stack() -> None:
    """Run a real Kafka and a real Redis on this machine, with Docker or without."""


@stack.command()
def up() -> None:
    """Start them and leave them running.

    Progress goes to stderr and two export lines to stdout: eval "$(churn stack up)" sets both variables.
    """
    settings = Settings.load()
    started = ladder.up(
        settings.local / "stack",
        kafka_bootstrap=settings.kafka_bootstrap_servers,
        redis_url=settings.redis_url,
        docker=settings.docker,
        report=_tell,
    )
    variables = ("KAFKA_BOOTSTRAP_SERVERS", "REDIS_URL")
    for variable, service in zip(variables, started.services, strict=True):
        if service.ours:
            click.echo(f"export {variable}={shlex.quote(service.address)}")


@stack.command()
def down() -> None:
    """End them, and whatever a stack that was killed left running."""
    ended = ladder.down(Settings.load().local / "stack", report=_tell)
    _tell(f"Ended: {', '.join(ended)}" if ended else "Nothing was running")


@stack.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array for programs.")
@click.pass_context
def status(context: click.Context, *, as_json: bool) -> None:
    """Tell of each service what it stands on and whether it answers; exit code 1 unless all do."""
    services = ladder.status(Settings.load().local / "stack")
    if as_json:
        click.echo(msgspec.json.encode(services))
    else:
        for service in services:
            click.echo(f"{service.rung}: {'answers' if service.answers else f'does not answer ({service.trouble})'}")
        if not services:
            click.echo("No stack is up; `churn stack up` starts one")
    if not services or not all(service.answers for service in services):
        context.exit(1)


def _tell(sentence: str) -> None:
    click.echo(sentence, err=True)
