"""What several commands show in the same table."""

from collections.abc import Mapping

from rich.table import Table

from model.features import FEATURES
from schemas.scores import FeatureValue

_UNITS = {f.name: f.unit for f in FEATURES}


def feature_table(cells: Mapping[str, FeatureValue], title: str | None = None) -> Table:
    """Features with their values, ages and freshness."""
    table = Table("feature", "value", "unit", "age", "freshness", title=title)
    for name, cell in cells.items():
        age = "" if cell.age_s is None else f"{cell.age_s / 86_400:,.1f} days"
        value = "" if cell.value is None else f"{cell.value:,g}"
        table.add_row(name, value, _UNITS.get(name, ""), age, cell.freshness)
    return table
