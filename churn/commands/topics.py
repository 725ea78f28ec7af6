"""`churn topics`: create the topics and check them."""

import click
import msgspec

from churn.errors import UserError
from churn.parts import broker_errors, kafka_admin
from churn.settings import Settings
from schemas.topics import TOPICS


@click.command()
@click.option("--check", is_flag=True, help="Create nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def topics(check: bool, as_json: bool) -> None:
    """Create the topics that are missing, and say how the others are not as declared.

    Exit code 2 when a topic is missing or different. Topics that exist are never changed: with another number of
    partitions, customers would belong to other partitions than their records.
    """
    settings = Settings.load()
    admin = kafka_admin(settings)
    with broker_errors(settings):
        created = [] if check else admin.create_missing()
        differences = admin.differences()
    if as_json:
        click.echo(msgspec.json.encode({"created": created, "differences": differences}))
    else:
        width = max(len(topic.name) for topic in TOPICS)
        for topic in TOPICS:
            found = "; ".join(differences[topic.name]) or ("created" if topic.name in created else "as declared")
            click.echo(f"{topic.name:<{width}} {found:<12} {topic.purpose}")
    wrong = [name for name, found in differences.items() if found]
    if wrong:
        raise UserError(f"not as declared: {', '.join(wrong)}")
