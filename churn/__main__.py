"""`churn`: one command a process, each loaded when it is called."""

import importlib
import sys

import click

from churn.errors import UserError

COMMANDS = {
    "demo": "the whole system on real data, live in the terminal",
    "score": "the scoring worker: events in, scores out",
    "api": "the same answers over HTTP",
    "monitor": "watch over everything: dashboard, alerts, accuracy",
    "predict": "ask the API",
    "status": "ask the monitor how the whole system does",
    "key": "make a key for a client of the API",
    "topics": "create and check the topics",
    "doctor": "find out what is wrong, and what to do about it",
    "features": "a customer's features; make them anew from the log",
    "model": "train a model, list the models",
    "replay": "turn a table of customers into events and publish them",
    "scores": "read the scores as the call center does",
    "dlq": "look at dead letters, send them again, give them up",
    "alert": "try the receivers of alerts, list what is wrong",
    "stack": "a real Kafka and Redis on this machine",
}


class Commands(click.Group):
    """The commands of the table above; the module of a command is imported when it is needed."""

    def list_commands(self, _: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        """The command called `name`, or None."""
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"churn.commands.{name}"), name)
        return command

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="churn")
def churn() -> None:
    """Customer events in, explained churn scores out."""


def main() -> None:
    """Run the command line: exit code 2 and one line for what the user can mend, 130 after Ctrl-C."""
    try:
        sys.exit(churn.main(prog_name="churn", standalone_mode=False) or 0)
    except UserError as error:
        sys.exit(_failed(str(error)))
    except click.ClickException as error:
        sys.exit(_failed(error.format_message()))
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)


def _failed(message: str) -> int:
    click.echo(f"churn: {message}", err=True)
    return 2


if __name__ == "__main__":
    main()
