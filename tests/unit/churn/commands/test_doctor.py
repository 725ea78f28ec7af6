"""The last line of `churn doctor`."""

from churn.commands.doctor import summary
from churn.doctor.finding import failed, ok, skipped, warning


def test_summary_names_what_needs_somebody() -> None:
    """What failed and what is a warning is named; the rest is counted."""
    assert summary({"a": ok(""), "b": ok("")}) == "2 checks: 2 ok."
    findings = {"a": failed("", ""), "b": warning("", ""), "c": skipped(""), "d": warning("", ""), "e": failed("", "")}
    assert summary(findings) == "5 checks: 2 failed (a, e), 2 warnings (b, d), 1 left out, 0 ok."
