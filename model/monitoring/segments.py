"""Which groups of customers accuracy is looked at for, on top of all of them."""

from bisect import bisect_right
from collections.abc import Mapping

from model.declaration import Feature
from model.features import FEATURES
from schemas.scores import FeatureValue

MOST_LEVELS = 6
# What customers are, with few whole numbers as values: plans, the status, the age group.
GROUPING: tuple[Feature, ...] = tuple(f for f in FEATURES if f.kind == "latest" and f.high - f.low < MOST_LEVELS)
TENURE: Feature = next(f for f in FEATURES if f.kind == "months_since" and "customer.registered" in f.types)
BANDS_MONTHS = (12, 24, 60)
BANDS = ("under 1 year", "1 to 2 years", "2 to 5 years", "over 5 years")


def segments(features: Mapping[str, FeatureValue]) -> tuple[str, ...]:
    """The segments of a score by the features that it carries, such as `tenure: under 1 year`.

    A value that is not the customer's own, because it is missing or a default, puts nobody into a segment.
    """
    found = [f"{f.name}: {level}" for f in GROUPING if (level := _level(f, features)) is not None]
    months = _known(TENURE, features)
    return (*found, *([f"{TENURE.name}: {BANDS[bisect_right(BANDS_MONTHS, months)]}"] if months is not None else []))


def _level(feature: Feature, features: Mapping[str, FeatureValue]) -> str | None:
    value = _known(feature, features)
    if value is None or not value.is_integer() or not feature.low <= value <= feature.high:
        return None
    if feature.categories:
        return feature.categories[int(value)]
    return ("no", "yes")[int(value)] if feature.unit == "yes or no" else f"{value:g}"


def _known(feature: Feature, features: Mapping[str, FeatureValue]) -> float | None:
    carried = features.get(feature.name)
    if carried is None or carried.value is None or carried.freshness not in {"fresh", "stale"}:
        return None
    return float(carried.value)
