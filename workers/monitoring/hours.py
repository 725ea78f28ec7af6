"""What all processes did in an hour: summaries merged, each of them once."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import zip_longest

import msgspec

from schemas.cloudevents import Time
from schemas.telemetry import Bins, Counts, ModelCounts, Telemetry

HOUR = timedelta(hours=1)


class Seen(msgspec.Struct, frozen=True):
    """When a version of the model answered, first and last."""

    first: Time
    last: Time


class HourTotals(msgspec.Struct, frozen=True, omit_defaults=True):
    """The sum of the summaries of an hour, of those before the offset `applied`."""

    applied: int = 0
    counts: Counts = {}
    types: Counts = {}
    requests: Counts = {}
    problems: Counts = {}
    errors: Counts = {}
    models: dict[str, ModelCounts] = {}
    seen: dict[str, Seen] = {}
    latency: Bins = []
    freshness: dict[str, Bins] = {}


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(HourTotals).decode


def hour_of(moment: datetime) -> datetime:
    """The beginning of the hour that `moment` is in, UTC."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def add(hour: HourTotals, summary: Telemetry, offset: int) -> HourTotals:
    """The hour with the summary at `offset` of `churn.telemetry` in it; one that is in it already changes nothing."""
    if offset < hour.applied:
        return hour
    seen = dict(hour.seen)
    for version in summary.models:
        before = seen.get(version, Seen(summary.began, summary.ended))
        seen[version] = Seen(min(before.first, summary.began), max(before.last, summary.ended))
    return HourTotals(
        applied=offset + 1,
        counts=_sum(hour.counts, summary.counts),
        types=_sum(hour.types, summary.types),
        requests=_sum(hour.requests, summary.requests),
        problems=_sum(hour.problems, summary.problems),
        errors=_sum(hour.errors, summary.errors),
        models=_models(hour.models, summary.models),
        seen=seen,
        latency=bins(hour.latency, summary.latency),
        freshness=_histograms(hour.freshness, summary.freshness),
    )


def total(hours: Iterable[HourTotals]) -> HourTotals:
    """Several hours as one; `applied` means nothing in it."""
    result = HourTotals()
    for hour in hours:
        seen = dict(result.seen)
        for version, span in hour.seen.items():
            before = seen.get(version, span)
            seen[version] = Seen(min(before.first, span.first), max(before.last, span.last))
        result = HourTotals(
            counts=_sum(result.counts, hour.counts),
            types=_sum(result.types, hour.types),
            requests=_sum(result.requests, hour.requests),
            problems=_sum(result.problems, hour.problems),
            errors=_sum(result.errors, hour.errors),
            models=_models(result.models, hour.models),
            seen=seen,
            latency=bins(result.latency, hour.latency),
            freshness=_histograms(result.freshness, hour.freshness),
        )
    return result


def bins(one: Sequence[int], other: Sequence[int]) -> Bins:
    """Two histograms with the same edges, added; an empty one has nothing in it."""
    return [a + b for a, b in zip_longest(one, other, fillvalue=0)]


def quantile(counts: Sequence[int], edges: Sequence[float], share: float) -> float | None:
    """The upper edge of the bin in which `share` of the records is reached; None without any."""
    wanted, reached = share * sum(counts), 0
    for count, edge in zip(counts, [*edges, edges[-1]], strict=False):
        reached += count
        if reached and reached >= wanted:
            return edge
    return None


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return dict(Counter(one) + Counter(other))


def _histograms(one: Mapping[str, Bins], other: Mapping[str, Bins]) -> dict[str, Bins]:
    return {name: bins(one.get(name, ()), other.get(name, ())) for name in one.keys() | other.keys()}


def _models(one: Mapping[str, ModelCounts], other: Mapping[str, ModelCounts]) -> dict[str, ModelCounts]:
    result = dict(one)
    for version, counts in other.items():
        before = one.get(version)
        result[version] = counts if before is None else ModelCounts(
            bins(before.scores, counts.scores),
            _sum(before.actions, counts.actions),
            _histograms(before.features, counts.features),
        )  # fmt: skip
    return result
