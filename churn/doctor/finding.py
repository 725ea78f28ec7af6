"""What a check found, how bad it is, and what to do about it."""

from collections.abc import Sequence
from typing import Literal

import msgspec

Status = Literal["ok", "skipped", "warning", "failed"]
_WORSE: tuple[Status, ...] = ("ok", "skipped", "warning", "failed")


class Finding(msgspec.Struct, frozen=True):
    """What a check found, and what there is to do."""

    status: Status
    found: str
    remedies: tuple[str, ...] = ()


def ok(found: str) -> Finding:
    """All is well."""
    return Finding("ok", found)


def skipped(found: str) -> Finding:
    """It could not be found out; says why."""
    return Finding("skipped", found)


def warning(found: str, remedy: str) -> Finding:
    """It works, and something is not as it should be."""
    return Finding("warning", found, (remedy,))


def failed(found: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding("failed", found, (remedy,))


def together(findings: Sequence[Finding]) -> Finding:
    """One finding of several, as bad as the worst of them; what several say alike is said once."""
    status = max((finding.status for finding in findings), key=_WORSE.index)
    found = dict.fromkeys(finding.found for finding in findings)
    remedies = dict.fromkeys(remedy for finding in findings for remedy in finding.remedies)
    return Finding(status, "; ".join(found), tuple(remedies))


def size(count: float) -> str:
    """So many bytes in the unit that suits them: `1.5 GiB`."""
    for unit, length in (("GiB", 2**30), ("MiB", 2**20)):
        if count >= length:
            return f"{count / length:,.1f} {unit}"
    return f"{count / 2**10:,.1f} KiB"


def counted(count: int, singular: str, plural: str = "") -> str:
    """`1 worker`, `2 workers`."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"
