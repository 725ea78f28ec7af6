"""What the demo shows while it runs."""

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table

from churn.demo.tally import View
from schemas.scores import ChurnScored

_STYLE = {"low": "green", "medium": "yellow", "high": "red"}


def screen(view: View, total: int) -> RenderableType:
    """The counts, and the last customers with their reasons."""
    counts = Table.grid(padding=(0, 3))
    rate = f"{view.counts.total() / view.elapsed_s:,.0f} a second"
    counts.add_row("events", f"[bold]{view.sent:,}[/] of {total:,}", "rate", rate)
    counts.add_row("scores", f"[bold]{view.counts['scored']:,}[/]", "latest p50", f"{view.p50_ms:,.1f} ms")
    counts.add_row("could not compute", f"{view.counts['could-not-compute']}", "latest p99", f"{view.p99_ms:,.1f} ms")
    counts.add_row("dead letters", f"{view.counts['dead-letter']}")
    customers = Table("customer", "leaves", "band", "action", "why", expand=True, box=None)
    for message in view.recent:
        customers.add_row(*row(message))
    return Group(Panel(counts, title="churn demo", title_align="left"), customers)


def row(message: ChurnScored) -> tuple[str, str, str, str, str]:
    """One customer's line."""
    score = message.data
    if score.probability is None or score.band is None or score.action is None:
        return message.subject, "?", "", "", score.problem.detail if score.problem else ""
    style = _STYLE[score.band]
    why = " ".join(reason.text for reason in score.reasons[:2])
    return message.subject, f"[{style}]{score.probability:.1%}[/]", f"[{style}]{score.band}[/]", score.action, why
