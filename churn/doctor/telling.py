"""Checks of whom the processes tell when something is wrong; nobody is told anything."""

from urllib.parse import urlsplit

from churn.alerts import receivers
from churn.doctor.finding import Finding, counted, failed, ok, warning
from churn.errors import UserError
from churn.settings import Settings


def alerts(settings: Settings) -> Finding:
    """Whether Apprise can use every receiver in ALERT_URLS."""
    try:
        names = receivers(settings).names
    except UserError as error:
        return failed(str(error), "Correct ALERT_URLS (docs/how-to/get-alerts.md), then run `churn alert test`.")
    if not names:
        return warning(
            "ALERT_URLS is not set: nobody is told of silence and dead workers",
            "Set it (docs/how-to/get-alerts.md), then run `churn alert test`.",
        )
    return ok(f"{counted(len(names), 'receiver')}: {', '.join(names)}")


def sentry(settings: Settings) -> Finding:
    """Whether SENTRY_DSN looks as Sentry gives it."""
    if not settings.sentry_dsn:
        return ok("SENTRY_DSN is not set: errors are in the logs only")
    expected = "expected https://KEY@HOST/PROJECT, with a number for the project"
    remedy = "Copy the DSN from the settings of the project in Sentry, under Client Keys."
    try:
        url = urlsplit(settings.sentry_dsn)
        port = url.port
    except ValueError:
        return failed(f"SENTRY_DSN: {expected}", remedy)
    project = url.path.rpartition("/")[2]
    if url.scheme not in {"http", "https"} or not url.username or not url.hostname or not project.isdecimal():
        return failed(f"SENTRY_DSN: {expected}", remedy)
    return ok(f"errors go to project {project} at {url.hostname}{f':{port}' if port else ''}")
