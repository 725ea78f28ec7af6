"""What all processes did in an hour: summaries merged, each of them once."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce
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
    one = HourTotals(
        applied=offset + 1,
        counts=summary.counts,
        types=summary.types,
        requests=summary.requests,
        problems=summary.problems,
        errors=summary.errors,
        models=summary.models,
        seen=dict.fromkeys(summary.models, Seen(summary.began, summary.ended)),
        latency=summary.latency,
        freshness=summary.freshness,
    )
    return _both(hour, one)


def total(hours: Iterable[HourTotals]) -> HourTotals:
    """Several hours as one; `applied` means nothing in it, and is 0."""
    return msgspec.structs.replace(reduce(_both, hours, HourTotals()), applied=0)


def _both(one: HourTotals, other: HourTotals) -> HourTotals:
    seen = dict(one.seen)
    for version, span in other.seen.items():
        before = seen.get(version, span)
        seen[version] = Seen(min(before.first, span.first), max(before.last, span.last))
    return HourTotals(
        applied=max(one.applied, other.applied),
        counts=_sum(one.counts, other.counts),
        types=_sum(one.types, other.types),
        requests=_sum(one.requests, other.requests),
        problems=_sum(one.problems, other.problems),
        errors=_sum(one.errors, other.errors),
        models=_models(one.models, other.models),
        seen=seen,
        latency=bins(one.latency, other.latency),
        freshness=_histograms(one.freshness, other.freshness),
    )


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
