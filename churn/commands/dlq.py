"""`churn dlq`: look at dead letters, send them again, give them up."""

import functools
import logging
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, get_args

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from churn import letters as shown
from churn.errors import UserError
from churn.parameters import Moment, PlaceName
from churn.parts import broker_errors, dead_letters
from churn.settings import Settings
from churn.stack.signals import signals_call
from schemas.deadletters import Place, Verdict
from schemas.errors import ErrorClass
from schemas.topics import EVENTS
from workers.deadletters import DeadLetters, DeadLettersError
from workers.letters import UNKNOWN, DeadLetter, Filters, obstacle, status

SHOWN_LETTERS = 1000
_CLASSES = (*get_args(ErrorClass), UNKNOWN)
_OPTIONS = (
    click.option(
        "--error-class", "error_classes", multiple=True, type=click.Choice(_CLASSES), metavar="CLASS",
        help=f"Only of this class, or of these when given more than once: {', '.join(_CLASSES)}.",
    ),
    click.option("--partition", type=click.IntRange(min=0), help=f"Only of this partition of {EVENTS}."),
    click.option("--since", "since_ms", type=Moment(), help="Only those that became dead letters then or later."),
    click.option("--until", "until_ms", type=Moment(), help="Only those that became dead letters before."),
)  # fmt: skip


def _filtered(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that choose among the letters, as one argument, `filters`."""

    @functools.wraps(command)
    def run(
        *,
        error_classes: tuple[str, ...],
        partition: int | None,
        since_ms: int | None,
        until_ms: int | None,
        **rest: Any,
    ) -> None:
        command(filters=Filters(frozenset(error_classes), partition, since_ms, until_ms), **rest)

    return functools.reduce(lambda decorated, option: option(decorated), reversed(_OPTIONS), run)


@click.group()
def dlq() -> None:
    """Look at dead letters, send them again, give them up.

    A dead letter is a record of customer.events that could not be used. Its name is its place in customer.events.dlq,
    PARTITION:OFFSET. It is open until it is replayed or dropped.
    """


@dlq.command("list")
@_filtered
@click.option("--all", "with_all", is_flag=True, help="Also those that were replayed or dropped.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def list_letters(filters: Filters, with_all: bool, as_json: bool) -> None:
    """List the open dead letters, the newest last.

    From is where the record is in customer.events, partition and offset. The last line counts them by error class.
    Times are ISO 8601, a date or a date with a time, and UTC unless they say otherwise: 2026-01-31T14:00.
    """
    with _dead_letters() as letters:
        decisions = letters.decisions()
        found = ((letter, status(letter, decisions)) for letter in letters.letters() if filters.match(letter))
        chosen = ((letter, state) for letter, state in found if with_all or state == "open")
        if as_json:
            for letter, state in chosen:
                click.echo(shown.as_json(shown.summary(letter, state)))
            return
        rows, counts = deque[Iterable[Text]](maxlen=SHOWN_LETTERS), Counter[str]()
        for letter, state in chosen:
            counts[letter.error_class] += 1
            rows.append(shown.row(letter, state, with_status=with_all))
    if counts:
        Console().print(shown.table(rows, with_status=with_all))
    if counts.total() > len(rows):
        click.echo(f"the newest {len(rows):,} of them; options choose others, --json has them all")
    number = _number(counts.total(), "" if with_all else "open ")
    click.echo(f"{number}: {_listed(counts)}" if counts else f"no {'' if with_all else 'open '}dead letters")


@dlq.command()
@click.argument("place", type=PlaceName())
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON; base64 where bytes are not UTF-8.")
def show(place: Place, as_json: bool) -> None:
    """Show one dead letter.

    Why it is one, and its headers, key and value. Bytes that are no text, and characters that a terminal would act
    upon, are shown as escapes.
    """
    with _dead_letters() as letters:
        (letter,) = _at(letters, (place,))
        state = status(letter, letters.decisions())
    if as_json:
        click.echo(shown.as_json(shown.summary(letter, state) | shown.contents(letter)))
    else:
        for line in shown.page(letter, state):
            click.echo(line)


@dlq.command()
@_filtered
@click.argument("places", nargs=-1, type=PlaceName())
@click.option("--yes", is_flag=True, help="Do not ask.")
def replay(filters: Filters, places: tuple[Place, ...], yes: bool) -> None:
    """Send dead letters to customer.events again.

    Those at PLACES, or the open ones that the options choose, or all that are open. Key, value and headers are as they
    came. A letter is sent at most once, whatever happens meanwhile. What is still wrong makes it another dead letter.
    """
    _decide("replayed", filters, places, yes=yes)


@dlq.command()
@_filtered
@click.argument("places", nargs=-1, type=PlaceName())
@click.option("--yes", is_flag=True, help="Do not ask.")
def drop(filters: Filters, places: tuple[Place, ...], yes: bool) -> None:
    """Give dead letters up.

    Those at PLACES, or the open ones that the options choose, or all that are open. Nothing is deleted; they are not
    listed any more, and cannot be replayed.
    """
    _decide("dropped", filters, places, yes=yes)


def _decide(verdict: Verdict, filters: Filters, places: tuple[Place, ...], *, yes: bool) -> None:
    if places and filters != Filters():
        raise click.UsageError("Give places or filters, not both.")
    with _dead_letters() as letters:
        decisions = letters.decisions()
        candidates = _at(letters, places) if places else (
            letter for letter in letters.letters() if filters.match(letter) and status(letter, decisions) == "open"
        )  # fmt: skip
        outlook = {letter.place: obstacle(letter, decisions, verdict) or verdict for letter in candidates}
    expected = Counter[str](outlook.values())
    if not expected[verdict]:
        click.echo(_result(verdict, expected))
        return
    if not yes and not _agreed(verdict, expected):
        click.echo(_result(verdict, Counter()))
        return
    done, stopped = Counter[str](), []
    columns = (TextColumn(verdict), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    try:
        with (
            _dead_letters() as letters,
            Progress(*columns, console=console, disable=not console.is_terminal) as bars,
            signals_call(lambda: stopped.append(True)),
        ):
            bar = bars.add_task("", total=len(outlook))
            for counts in letters.decide(verdict, outlook.keys()):
                done += counts
                bars.update(bar, advance=counts.total())
                if stopped:
                    break
    except UserError as error:
        raise UserError(f"{error}; before that: {_result(verdict, done)}") from None
    click.echo(_result(verdict, done))
    if stopped:
        raise click.Abort


def _agreed(verdict: Verdict, expected: Counter[str]) -> bool:
    """Whether somebody at the terminal agrees."""
    action = f"Send {{}} to {EVENTS} again" if verdict == "replayed" else "Drop {}"
    question = action.format(_number(expected[verdict]))
    if skipped := expected.total() - expected[verdict]:
        question += f" and skip {skipped:,}"
    if not sys.stdin.isatty():
        raise UserError(f"{question}? There is no terminal to ask at; say --yes")
    return click.confirm(f"{question}?", err=True)


def _at(letters: DeadLetters, places: tuple[Place, ...]) -> list[DeadLetter]:
    """The letters at `places`; raises `DeadLettersError` when one is not there."""
    found = list(letters.letters(set(places)))
    if missing := set(places) - {letter.place for letter in found}:
        raise DeadLettersError(f"no dead letter at {', '.join(map(str, sorted(missing)))}")
    return found


def _result(verdict: Verdict, done: Counter[str]) -> str:
    skipped = Counter({what: count for what, count in done.items() if what != verdict})
    result = f"{verdict} {_number(done[verdict])}"
    return f"{result}, skipped {skipped.total():,}: {_listed(skipped)}" if skipped else result


def _number(count: int, kind: str = "") -> str:
    return f"{count:,} {kind}dead letter{'' if count == 1 else 's'}"


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in counts.most_common())


@contextmanager
def _dead_letters() -> Iterator[DeadLetters]:
    """The dead letters; within it what goes wrong with them is a `UserError`."""
    settings = Settings.load()
    logging.disable()  # what matters of it comes back as an error
    try:
        with broker_errors(settings):
            yield dead_letters(settings)
    except DeadLettersError as error:
        raise UserError(shown.safe(str(error))) from None
