"""`churn doctor`: find out what is wrong, and what to do about it."""

import logging
from collections.abc import Mapping

import click
import msgspec

from churn.doctor.examination import examination
from churn.doctor.finding import Finding, Status, counted

MARKS: dict[Status, str] = {
    "ok": click.style("✓", fg="green"),
    "skipped": click.style("-", dim=True),
    "warning": click.style("!", fg="yellow", bold=True),
    "failed": click.style("✗", fg="red", bold=True),
}
INDENT = 14  # the longest name of a check, and its mark


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for programs.")
@click.pass_context
def doctor(context: click.Context, *, as_json: bool) -> None:
    """Check settings, Kafka, Redis, model, clock, disk, alerts and Sentry, and say what to do about what is wrong.

    Each check is ok (✓), a warning (!), failed (✗), or left out (-) because of what failed before. Changes and
    publishes nothing. Exit code 1 when a check failed.
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what matters of it comes back as an error
    findings: dict[str, Finding] = {}
    for name, finding in examination():
        findings[name] = finding
        if not as_json:
            click.echo(f"{MARKS[finding.status]} {name:<{INDENT - 2}}{finding.found}")
            for remedy in finding.remedies:
                click.echo(f"{'':<{INDENT}}→ {remedy}")
    healthy = all(finding.status != "failed" for finding in findings.values())
    if as_json:
        checks = [{"check": name, **msgspec.structs.asdict(finding)} for name, finding in findings.items()]
        click.echo(msgspec.json.encode({"healthy": healthy, "checks": checks}))
    else:
        click.echo(summary(findings))
    if not healthy:
        context.exit(1)


def summary(findings: Mapping[str, Finding]) -> str:
    """How many checks came to what, and which of them need somebody."""
    names: dict[Status, list[str]] = {status: [] for status in MARKS}
    for name, finding in findings.items():
        names[finding.status].append(name)
    parts = [
        f"{len(names['failed'])} failed ({', '.join(names['failed'])})" if names["failed"] else "",
        f"{counted(len(names['warning']), 'warning')} ({', '.join(names['warning'])})" if names["warning"] else "",
        f"{len(names['skipped'])} left out" if names["skipped"] else "",
        f"{len(names['ok'])} ok",
    ]
    return f"{len(findings)} checks: {', '.join(part for part in parts if part)}."
