"""What telemetry costs the scoring worker: `churn score` with it and without it, in turn, on one Kafka and one Redis.

What else the machine does slows both, and not by the same: so they run in pairs, each time the other one first, and
what counts is the median of the ratios. With telemetry, /metrics is served too.
"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median

import click
import msgspec
from rich.console import Console
from rich.table import Table

from churn.stack.ports import free_port
from tests.bench.running import measure
from tests.bench.worker_loops import Bench, Result, site

LEAST = 0.97  # of the events a second without it
WITHOUT = {"CHURN_TELEMETRY_EVERY_S": "0"}


class Pair(msgspec.Struct, frozen=True):
    """A run with telemetry and the one without it beside it."""

    with_it: Result
    without: Result

    @property
    def ratio(self) -> float:
        """Of the events a second."""
        return self.with_it.events_per_s / self.without.events_per_s

    @property
    def cpu_us(self) -> float | None:
        """The CPU microseconds more an event, where this system tells."""
        if self.with_it.cpu_us is None or self.without.cpu_us is None:
            return None
        return self.with_it.cpu_us - self.without.cpu_us


class Report(msgspec.Struct, frozen=True):
    """One run."""

    at: datetime
    load_average: float
    pairs: list[Pair]
    ratio: float

    @property
    def missed(self) -> bool:
        """Whether telemetry costs more than it may."""
        return self.ratio < LEAST


def pairs_of(bench: Bench, count: int) -> list[Pair]:
    """Run so many pairs; the first run, which warms everything up, is of none."""
    bench.prepare_ours()
    with_it = {"CHURN_METRICS_PORT": str(free_port())}
    bench.ours(0, **with_it)
    pairs = []
    for number in range(count):
        runs: Sequence[dict[str, str]] = (with_it, WITHOUT) if number % 2 else (WITHOUT, with_it)
        first, second = (bench.ours(1 + 2 * number + n, **environment) for n, environment in enumerate(runs))
        pairs.append(Pair(first, second) if number % 2 else Pair(second, first))
    return pairs


@click.command()
@click.option("--pairs", default=7, show_default=True, help="How many.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def main(pairs: int, as_json: bool) -> None:
    """Measure what telemetry costs. Exit code 1 when that is more than 3%, 2 when it could not be measured."""
    console = Console(stderr=True)
    load_average = os.getloadavg()[0]

    def run() -> Report:
        with site(console, lambda sentence: console.print(sentence, highlight=False)) as (folder, stack, progress):
            found = pairs_of(Bench(folder, stack, progress), pairs)
        return Report(datetime.now(UTC), load_average, found, median(pair.ratio for pair in found))

    measure(run, _show, as_json=as_json)


def _show(report: Report) -> None:
    table = Table(title=f"churn score, load average {report.load_average:.1f} before")
    for heading in ("events/s without", "with", "ratio", "CPU µs/event more"):
        table.add_column(heading, justify="right")
    for pair in report.pairs:
        cpu = "–" if pair.cpu_us is None else f"{pair.cpu_us:+.2f}"
        table.add_row(
            f"{pair.without.events_per_s:,.0f}", f"{pair.with_it.events_per_s:,.0f}", f"{pair.ratio:.3f}", cpu
        )
    console = Console()
    console.print(table)
    verdict = "no" if report.missed else "yes"
    console.print(f"median ratio: {report.ratio:.3f} (at least {LEAST}: {verdict})", highlight=False)


if __name__ == "__main__":
    main()
