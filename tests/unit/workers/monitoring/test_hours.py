"""The sums of telemetry by hour: each summary once, in whatever order."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas.telemetry import ModelCounts, Telemetry
from workers.monitoring.hours import HourTotals, add, bins, decode, encode, hour_of, quantile, total

START = datetime(2026, 11, 25, 6, tzinfo=UTC)
_counts = st.dictionaries(st.sampled_from(["scored", "dead-letter"]), st.integers(1, 1000))
_bins = st.lists(st.integers(0, 100), min_size=3, max_size=3)
_models = st.dictionaries(
    st.sampled_from(["m1", "m2"]),
    st.builds(ModelCounts, _bins, _counts, st.dictionaries(st.sampled_from(["tenure", "spend"]), _bins)),
)


@st.composite
def summaries(draw: st.DrawFn) -> Telemetry:
    """A summary of some seconds of the hour."""
    began = START + timedelta(seconds=draw(st.integers(0, 3000)))
    return Telemetry(
        process="p", kind="score", began=began, ended=began + timedelta(seconds=draw(st.integers(0, 500))),
        counts=draw(_counts), types=draw(_counts), requests=draw(_counts), problems=draw(_counts), errors=draw(_counts),
        models=draw(_models), latency=draw(_bins), freshness=draw(st.dictionaries(st.just("tenure"), _bins)),
    )  # fmt: skip


def added(some: list[Telemetry], first: int = 0) -> HourTotals:
    """All of them, one after the other."""
    hour = HourTotals()
    for offset, summary in enumerate(some, first):
        hour = add(hour, summary, offset)
    return hour


@given(st.lists(summaries(), max_size=5), st.integers(0, 5))
def test_parts_add_up_to_the_whole(some: list[Telemetry], cut: int) -> None:
    """Hours of parts of the summaries add up to the hour of all, whatever is encoded in between."""
    parts = [decode(encode(added(part, 7))) for part in (some[:cut], some[cut:])]
    assert total(parts) == total([added(some[::-1])])


@given(st.lists(summaries(), min_size=1, max_size=4))
def test_summary_that_is_in_already_changes_nothing(some: list[Telemetry]) -> None:
    """What Kafka hands out again is not counted again."""
    hour = added(some)
    for offset, summary in enumerate(some):
        assert add(hour, summary, offset) is hour
    assert hour.applied == len(some)


def test_versions_are_seen_from_first_to_last() -> None:
    """The span of a version covers every summary that it is in."""
    model = {"m1": ModelCounts([1], {})}
    one, other = (
        Telemetry(process="p", kind="score", began=START + timedelta(minutes=m), ended=START + timedelta(minutes=m + 1),
                  models=model)
        for m in (10, 30)
    )  # fmt: skip
    seen = added([other, one]).seen["m1"]
    assert (seen.first, seen.last) == (one.began, other.ended)


def test_histograms_of_other_lengths_are_added() -> None:
    """An empty histogram has nothing in it."""
    assert bins([], [1, 2]) == [1, 2]
    assert bins([1, 1], [1]) == [2, 1]


def test_hour_is_of_utc() -> None:
    """Wherever the clock is."""
    assert hour_of(datetime.fromisoformat("2026-11-25T07:59:59+01:00")) == START


@given(st.lists(st.integers(0, 20), min_size=4, max_size=4), st.floats(0.01, 1))
def test_quantile_is_the_edge_that_the_share_lies_below(counts: list[int], share: float) -> None:
    """At least the share of the records is below it, and without its bin it is less."""
    edges = (1.0, 2.0, 3.0)
    found = quantile(counts, edges, share)
    if not sum(counts):
        assert found is None
        return
    assert found is not None
    values = [edge for edge, count in zip((*edges, 3.0), counts, strict=True) for _ in range(count)]
    assert found == sorted(values)[max(0, -int(-share * len(values) // 1) - 1)]
