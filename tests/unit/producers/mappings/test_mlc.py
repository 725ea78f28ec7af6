"""The MLC++ set: the features computed from a customer's events are the row, to the last bit."""

import csv
from decimal import Decimal
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from producers.datasets import load
from producers.mappings.mlc import MLC
from producers.table import Row
from tests.unit.producers.mappings.features import features

EXCERPT = Path(__file__).parents[3] / "data" / "mlc_excerpt.csv"
PARTS = ("day", "eve", "night", "intl")
YES_NO = st.sampled_from(["no", "yes"])


def number(most: int, places: int) -> st.SearchStrategy[str]:
    """A number with so many digits behind the point."""
    return st.decimals(0, most, places=places).map(str)


CELLS = st.fixed_dictionaries(
    {
        "state": st.sampled_from(["AK", "OH"]),
        "account_length": st.integers(0, 20_000).map(str),
        "area_code": st.just("area_code_415"),
        "international_plan": YES_NO,
        "voice_mail_plan": YES_NO,
        "number_vmail_messages": number(10**6, 0),
        "number_customer_service_calls": st.integers(0, 100).map(str),
        "churn": YES_NO,
        **{f"total_{part}_minutes": number(10**6, 1) for part in PARTS},
        **{f"total_{part}_calls": number(10**6, 0) for part in PARTS},
        **{f"total_{part}_charge": number(10**6, 2) for part in PARTS},
    }
)


def expected(cells: dict[str, str]) -> dict[str, float]:
    """The row as the model names it, computed with decimals."""

    def total(what: str, parts: tuple[str, ...]) -> Decimal:
        return sum((Decimal(cells[f"total_{part}_{what}"]) for part in parts), Decimal())

    return {
        "tenure": int(cells["account_length"]) / 30.4375,
        "spend": float(total("charge", PARTS)),
        "calls": float(total("calls", PARTS[:3])),
        "call_seconds": float(60 * total("minutes", PARTS[:3])),
        "call_failures": 0.0,
        "messages": 0.0,
        "numbers_called": 0.0,
        "abroad_calls": float(total("calls", PARTS[3:])),
        "abroad_seconds": float(60 * total("minutes", PARTS[3:])),
        "voicemails": float(cells["number_vmail_messages"]),
        "complaints": 0.0,
        "service_calls": float(cells["number_customer_service_calls"]),
        "renewals": 0.0,
        "cancellations": 0.0,
        "days_since_usage": 0.0,
        "age": 30.0,
        "age_group": 3.0,
        "tariff_plan": 0.0,
        "status": 0.0,
        "customer_value": 0.0,
        "international_plan": float(cells["international_plan"] == "yes"),
        "voicemail_plan": float(cells["voice_mail_plan"] == "yes"),
    }


@given(cells=CELLS, number=st.integers(1, 10**6))
def test_features_of_any_row_are_the_row(cells: dict[str, str], number: int) -> None:
    """Whatever a valid row says, its events give exactly these features, and its outcome the label."""
    history = MLC.history(Row("file", number + 1, number, cells))
    assert features(history.events(), [history.customer]) == {str(number): expected(cells)}
    assert history.outcome().data.churned is (cells["churn"] == "yes")


def test_features_of_the_excerpt_are_the_excerpt() -> None:
    """Every feature of every customer of 25 real rows equals its row bit for bit."""
    dataset = load(EXCERPT)
    with EXCERPT.open(newline="") as file:
        rows = {str(i): cells for i, cells in enumerate(csv.DictReader(file), start=1)}
    assert len(rows) == 25
    assert features(dataset.events, rows) == {customer: expected(cells) for customer, cells in rows.items()}
    assert [outcome.data.churned for outcome in dataset.outcomes] == [row["churn"] == "yes" for row in rows.values()]
    assert dataset.name == "mlc"


def test_mapping_is_short() -> None:
    """A data set is added in at most 40 lines, as the documentation promises."""
    assert len((Path(__file__).parents[4] / "producers" / "mappings" / "mlc.py").read_text().splitlines()) <= 40
