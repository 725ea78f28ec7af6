"""What users write on the command line, as the types that the code uses."""

from datetime import UTC, datetime
from typing import Any

import click

from schemas.cloudevents import to_ms
from schemas.deadletters import Place


class Moment(click.ParamType[int, str]):
    """A date or a date with a time, ISO 8601, UTC unless it says otherwise; as milliseconds since 1970."""

    name = "time"

    def convert(self, value: str, param: Any, ctx: Any) -> int:
        """The milliseconds; fails with what was expected."""
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(
                f"{value!r} is no time, expected for instance 2026-01-31 or 2026-01-31T23:59:59+01:00", param, ctx
            )
        return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


class PlaceName(click.ParamType[Place, str]):
    """The name of a dead letter."""

    name = "partition:offset"

    def convert(self, value: str, param: Any, ctx: Any) -> Place:
        """The place; fails with what was expected."""
        try:
            return Place.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
