"""The parts of the alerts that are built from the settings; they import Apprise, which few commands need."""

from churn.errors import UserError
from churn.parts import broker_errors, insist, kafka_admin
from churn.settings import Settings
from schemas.topics import ALERTS
from workers.alerts.log import AlertLog
from workers.alerts.receivers import Receivers, ReceiversError, parsed


def receivers(settings: Settings) -> Receivers:
    """The receivers in ALERT_URLS, which may be none; raises `UserError` when one cannot be used."""
    try:
        return Receivers(parsed(settings.alert_urls), per_hour=settings.alerts_per_hour)
    except ReceiversError as error:
        raise UserError(f"ALERT_URLS: {error}") from None


def alert_log(settings: Settings) -> AlertLog:
    """The topic `churn.alerts`; raises `UserError` when there is no broker or no such topic."""
    with broker_errors(settings):
        insist(ALERTS, kafka_admin(settings).existing())
    return AlertLog(settings.librdkafka())
