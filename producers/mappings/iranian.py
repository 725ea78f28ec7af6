"""The Iranian churn set (UCI, CC BY 4.0): customers of a telecom company, nine months of usage and what came of it.

300 of its 3,150 rows repeat others and are dropped: 2,850 customers. `Charge  Amount`, from 0 for the lowest to 10, is
taken as an amount of money.
"""

from producers.history import MONTH, History
from producers.table import DatasetMapping, Row
from schemas.events import Profile, Usage

_COLUMNS = (
    "Call  Failure",
    "Complains",
    "Subscription  Length",
    "Charge  Amount",
    "Seconds of Use",
    "Frequency of use",
    "Frequency of SMS",
    "Distinct Called Numbers",
    "Age Group",
    "Tariff Plan",
    "Status",
    "Age",
    "Customer Value",
    "Churn",
)
_MOST_MONTHS = 670  # back to 1970; the model counts no day before it
_NO_YES = {"0": False, "1": True}


def _history(row: Row) -> History:
    history = History(
        "iranian",
        row.number,
        age=row.whole("Subscription  Length", most=_MOST_MONTHS) * MONTH,
        churned=row.choice("Churn", _NO_YES),
    )
    history.registered(
        Profile(
            age=row.whole("Age", most=150),
            age_group=row.choice("Age Group", {str(group): group for group in range(1, 6)}),
            tariff_plan=row.choice("Tariff Plan", {"1": "pay_as_you_go", "2": "contract"}),
            status=row.choice("Status", {"1": "active", "2": "inactive"}),
        )
    )
    history.used(
        Usage(
            calls=row.whole("Frequency of use"),
            call_seconds=row.whole("Seconds of Use"),
            call_failures=row.whole("Call  Failure"),
            messages=row.whole("Frequency of SMS"),
            new_numbers=row.whole("Distinct Called Numbers"),
        )
    )
    history.billed(cents=row.whole("Charge  Amount", scale=100))
    history.complained(int(row.choice("Complains", _NO_YES)))
    value, quarters = row.decimal("Customer Value"), history.every(days=90, times=3)
    for number, quarter in enumerate(quarters, start=1):
        history.updated(quarter, Profile(customer_value=float(value * number / len(quarters))))
    return history


IRANIAN = DatasetMapping("iranian", _COLUMNS, _history)
