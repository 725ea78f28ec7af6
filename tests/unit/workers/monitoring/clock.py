"""A clock that is set."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)


class Clock:
    """Shows START, and later what it was set to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        """What it shows."""
        return self.now

    def wait(self, seconds: float) -> None:
        """Let time go by."""
        self.now += timedelta(seconds=seconds)
