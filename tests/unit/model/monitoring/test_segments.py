"""Which segments a score is in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.features import FEATURES
from model.monitoring.segments import segments
from schemas.scores import FeatureValue, Freshness

ANY = st.builds(
    FeatureValue,
    st.none() | st.floats() | st.sampled_from([0, 1.0, 5.0, 12.0]),
    st.none(),
    st.sampled_from(["fresh", "stale", "default", "missing"]),
)


def carried(freshness: Freshness = "fresh", **values: float | None) -> dict[str, FeatureValue]:
    """Features as a score carries them."""
    return {name: FeatureValue(value, 60, freshness) for name, value in values.items()}


def test_segments_are_named_after_features() -> None:
    """Plans, status, age group and tenure make segments; what is counted or measured does not."""
    features = carried(
        tenure=7.5,
        calls=3,
        age=31,
        age_group=2,
        tariff_plan=1,
        status=0,
        customer_value=1,
        international_plan=1,
        voicemail_plan=0,
    )
    assert segments(features) == (
        "age_group: 2",
        "tariff_plan: contract",
        "status: active",
        "international_plan: yes",
        "voicemail_plan: no",
        "tenure: under 1 year",
    )


@pytest.mark.parametrize(
    ("months", "band"),
    [
        (0.0, "under 1 year"),
        (11.99, "under 1 year"),
        (12.0, "1 to 2 years"),
        (24.0, "2 to 5 years"),
        (59.9, "2 to 5 years"),
        (60.0, "over 5 years"),
        (600.0, "over 5 years"),
    ],
)
def test_tenure_is_in_bands(months: float, band: str) -> None:
    """A band begins where the one before it ends."""
    assert segments(carried(tenure=months)) == (f"tenure: {band}",)


@pytest.mark.parametrize("freshness", ["default", "missing"])
def test_what_is_not_known_makes_no_segment(freshness: Freshness) -> None:
    """A default is not the customer's own value, and neither is one that is missing, odd or not there."""
    assert segments(carried(freshness, tenure=3, age_group=2)) == ()
    assert segments(carried(age_group=2.5, status=2, tariff_plan=-1, voicemail_plan=float("nan"), tenure=None)) == ()
    assert segments({}) == ()
    assert segments(carried("stale", age_group=5)) == ("age_group: 5",)


@given(st.fixed_dictionaries({}, optional={feature.name: ANY for feature in FEATURES}))
def test_there_are_few_segments(features: dict[str, FeatureValue]) -> None:
    """Whatever a score carries, each of its segments is one of a few, and of another feature."""
    found = segments(features)
    names = [segment.partition(": ")[0] for segment in found]
    assert len(set(names)) == len(names)
    assert all(len(segment) < 40 for segment in found)
