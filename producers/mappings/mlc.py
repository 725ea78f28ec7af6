"""The MLC++ churn set (R package modeldata, MIT): artificial customers, with usage and charges by time of day."""

from datetime import timedelta

from producers.history import History
from producers.table import DatasetMapping, Row
from schemas.events import Profile, Usage

_COLUMNS = (
    "state,account_length,area_code,international_plan,voice_mail_plan,number_vmail_messages,"
    "total_day_minutes,total_day_calls,total_day_charge,total_eve_minutes,total_eve_calls,total_eve_charge,"
    "total_night_minutes,total_night_calls,total_night_charge,total_intl_minutes,total_intl_calls,total_intl_charge,"
    "number_customer_service_calls,churn"
)
_HOME = ("day", "eve", "night")
_NO_YES = {"no": False, "yes": True}


def _history(row: Row) -> History:
    age, churned = timedelta(days=row.whole("account_length", most=20_000)), row.choice("churn", _NO_YES)
    history = History("mlc", row.number, age=age, churned=churned)
    plans = [row.choice(f"{plan}_plan", _NO_YES) for plan in ("international", "voice_mail")]
    history.registered(Profile(international_plan=plans[0], voicemail_plan=plans[1]))
    history.used(
        Usage(
            calls=sum(row.whole(f"total_{part}_calls") for part in _HOME),
            call_seconds=sum(row.whole(f"total_{part}_minutes", scale=60) for part in _HOME),
            abroad_calls=row.whole("total_intl_calls"),
            abroad_seconds=row.whole("total_intl_minutes", scale=60),
            voicemails=row.whole("number_vmail_messages"),
        )
    )
    history.billed(cents=sum(row.whole(f"total_{part}_charge", scale=100) for part in (*_HOME, "intl")))
    history.called(row.whole("number_customer_service_calls", most=100))
    return history


MLC = DatasetMapping("mlc", tuple(_COLUMNS.split(",")), _history)
