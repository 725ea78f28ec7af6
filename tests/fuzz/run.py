"""Feed bad inputs to every decoder: `python -m tests.fuzz.run`, or `make fuzz`.

An input that makes a decoder raise what it does not declare is a bug. It is kept in tests/fuzz/corpus, and the tests
feed it to its decoder ever after. Ctrl-C stops it and says how to go on.
"""

import sys
import warnings
from contextlib import suppress
from random import randrange
from time import perf_counter
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from tests.fuzz.campaign import Campaign
from tests.fuzz.targets import all_targets

COLUMNS = (TextColumn("fuzz"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())


class _SeedType(click.ParamType[tuple[int, int]]):
    """A seed, or SEED:ROUND to go on from there."""

    name = "seed[:round]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Read both numbers."""
        seed, _, start = str(value).partition(":")
        if not seed.isdecimal() or not (start or "0").isdecimal():
            self.fail(f"{value!r} is no seed, expected a number, or SEED:ROUND", param, ctx)
        return int(seed), int(start or 0)


@click.command(help=__doc__)
@click.option("--seed", type=_SeedType(), help="The seed of another run, to repeat it or, with :ROUND, to go on.")
@click.option("--bytes", "most_bytes", type=click.IntRange(1), default=100_000_000, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def main(seed: tuple[int, int] | None, most_bytes: int, as_json: bool) -> None:
    """Run one campaign; the exit code is 1 when there are bugs."""
    number, start = seed or (randrange(10**9), 0)
    console = Console(stderr=as_json)
    console.print(f"seed {number}, from round {start}")
    began_s = perf_counter()
    with all_targets() as targets, warnings.catch_warnings(action="error"):
        campaign = Campaign(targets, number, start)
        with (
            Progress(*COLUMNS, console=console, disable=not console.is_terminal) as bars,
            suppress(KeyboardInterrupt),
        ):
            bar = bars.add_task("fuzz", total=most_bytes)
            for fed in campaign.run(most_bytes):
                bars.advance(bar, fed)
    _report(campaign, number, perf_counter() - began_s, console, as_json=as_json)
    sys.exit(1 if campaign.bugs else 0)


def _report(campaign: Campaign, seed: int, seconds: float, console: Console, *, as_json: bool) -> None:
    go_on = f"{seed}:{campaign.round}"
    if as_json:
        result = {
            "seed": seed,
            "go_on": go_on,
            "bytes": campaign.fed_bytes,
            "seconds": round(seconds, 1),
            "decoders": campaign.tallies,
            "bugs": [
                {"decoder": bug.target, "error": bug.error, "file": str(bug.file)} for bug in campaign.bugs.values()
            ],
        }
        click.echo(msgspec.json.encode(result))
        return
    table = Table("decoder", "bytes", "inputs", "MB/s", "what became of them")
    for name, tally in campaign.tallies.items():
        became = ", ".join(f"{count:,} {outcome}" for outcome, count in tally.outcomes.most_common())
        speed = tally.fed_bytes / 1e6 / tally.seconds if tally.seconds else 0.0
        table.add_row(name, f"{tally.fed_bytes:,}", f"{tally.inputs:,}", f"{speed:.1f}", became)
    console.print(table)
    for bug in campaign.bugs.values():
        console.print(f"BUG {bug.target}: {bug.error}; its input is kept in {bug.file}", style="red")
    console.print(
        f"{campaign.fed_bytes:,} bytes in {seconds:.0f} s; {len(campaign.bugs)} bugs; go on with --seed {go_on}"
    )


if __name__ == "__main__":
    main()
