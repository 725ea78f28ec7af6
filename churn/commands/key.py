"""`churn key`: make a key for a client of the API."""

import re

import click

from workers.api.keys import SCOPES, new_key


@click.command()
@click.argument("client")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(SCOPES), default=["predict"], show_default=True,
    help="What the client may do; may be given several times.",
)  # fmt: skip
def key(client: str, scopes: tuple[str, ...]) -> None:
    """Make a key for CLIENT, and the line that lets it in.

    The line goes into CHURN_API_KEYS or into the file CHURN_API_KEYS_FILE; the key is shown this once.
    """
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", client, re.ASCII):
        raise click.UsageError(f"CLIENT is {client!r}; expected 1 to 64 letters, digits and . _ -")
    secret, line = new_key(client, dict.fromkeys(scopes))
    click.echo(f"key, for {client}: {secret}")
    click.echo(f"line, for the API: {line}")
