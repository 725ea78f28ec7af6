"""What tests/bench/http.py has measured: the figures, what is required of them, and how they are shown."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from rich.console import Console
from rich.table import Table

EXPECTED_PEAK_PER_S = 1_000
FLAT = 1.15  # memory afterwards, compared with before
OURS, INFER = "churn api", "churn api, infer"
FASTAPI, CURVES, MLSERVER = "FastAPI, scikit-learn", "FastAPI, our model code", "MLServer, infer"
RATIOS = ((OURS, FASTAPI, 3.0), (OURS, CURVES, 3.0), (OURS, MLSERVER, 5.0), (INFER, MLSERVER, None))


class Load(msgspec.Struct, frozen=True):
    """What wrk saw."""

    requests: int
    seconds: float
    errors: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    connections: int = 0

    @property
    def per_s(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


class Ratio(msgspec.Struct, frozen=True):
    """How many times as many requests a second the first does as the second, and how many it must do."""

    of: str
    to: str
    ratio: float
    required: float | None


class Report(msgspec.Struct, frozen=True):
    """One run; `missed` are the requirements that were not met."""

    at: datetime
    cores: int
    load_average: float
    peak_per_s: int
    peak: Load
    knees: dict[str, list[Load]]
    fastest: dict[str, Load]
    ratios: list[Ratio]
    memory_mb: tuple[float, float]
    missed: list[str]


def show(report: Report) -> None:
    """Print it for people."""
    console = Console()
    peak, (before_mb, after_mb) = report.peak, report.memory_mb
    table = Table(title=f"Requests per second by open connections; load average {report.load_average:.1f} before")
    table.add_column("server", no_wrap=True)
    for heading in ("open", "per s", "p50 ms", "p99 ms", "errors"):
        table.add_column(heading, justify="right")
    for name, steps in report.knees.items():
        for title, step in (*((name, step) for step in steps), (f"{name}: rounds", report.fastest[name])):
            numbers = f"{step.per_s:,.0f}", f"{step.p50_ms:.1f}", f"{step.p99_ms:.1f}", str(step.errors)
            table.add_row(title, str(step.connections), *numbers)
        table.add_section()
    console.print(table)
    console.print(
        f"peak: {report.peak_per_s:,} requests/s wanted, {peak.per_s:,.0f} answered, p99 {peak.p99_ms:.1f} ms, "
        f"{peak.errors} errors\n"
        f"memory of {OURS}: {before_mb:.0f} MB before, {after_mb:.0f} MB after",
        highlight=False,
    )
    for ratio in report.ratios:
        required = f" (at least {ratio.required:g})" if ratio.required else ""
        console.print(f"{ratio.of} / {ratio.to}: {ratio.ratio:.1f}{required}", highlight=False)
    for sentence in report.missed:
        console.print(f"missed: {sentence}", highlight=False)


def missed_of(
    peak: Load, knees: Mapping[str, Sequence[Load]], ratios: Sequence[Ratio], memory_mb: tuple[float, float]
) -> list[str]:
    """What is required and was not so."""
    missed = [f"{r.of} / {r.to} is below {r.required:g}" for r in ratios if r.required and r.ratio < r.required]
    if peak.per_s < 0.9 * 2 * EXPECTED_PEAK_PER_S:
        missed.append(f"at the peak only {peak.per_s:,.0f} requests/s were answered")
    if errors := peak.errors + sum(step.errors for name in (OURS, INFER) for step in knees[name]):
        missed.append(f"{errors} requests to {OURS} failed")
    if memory_mb[1] > FLAT * memory_mb[0]:
        missed.append(f"the memory of {OURS} grew from {memory_mb[0]:.0f} to {memory_mb[1]:.0f} MB")
    return missed
