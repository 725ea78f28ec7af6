"""Time spans as people say them."""


def duration(seconds: float) -> str:
    """A time span in the unit that suits it: `3 s`, `5 min`, `2 h`, `12 days`."""
    for unit, length_s in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:,.0f} {unit}"
    return f"{seconds:,.0f} s"
