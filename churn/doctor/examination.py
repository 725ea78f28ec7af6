"""The examination: every check in order, each bounded in time, whatever is wrong."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from churn.doctor import kafka, machine, redis, telling
from churn.doctor.finding import Finding, failed, skipped
from churn.errors import UserError
from churn.settings import Settings
from workers.admin import BrokerError

LIMIT_S = 10.0


class Check(NamedTuple):
    """A check, and the earlier ones without which it cannot be made."""

    examine: Callable[[Settings], Finding]
    needs: tuple[str, ...] = ()


CHECKS = {
    "broker": Check(kafka.brokers),
    "topics": Check(kafka.topics, ("broker",)),
    "permissions": Check(kafka.permissions, ("broker",)),
    "group": Check(kafka.group, ("broker",)),
    "redis": Check(redis.server),
    "states": Check(redis.states, ("broker", "redis")),
    "model": Check(machine.model),
    "clock": Check(redis.clock, ("redis",)),
    "disk": Check(machine.disk),
    "alerts": Check(telling.alerts),
    "sentry": Check(telling.sentry),
}


def examination() -> Iterator[tuple[str, Finding]]:
    """Each check's name and what it found, as soon as it is known."""
    settings, wrong = Settings.load_what_fits()
    findings = {"settings": machine.judged_settings(settings.chosen(), wrong)}
    yield "settings", findings["settings"]
    for name, check in CHECKS.items():
        unwell = [needed for needed in check.needs if findings[needed].status == "failed"]
        if unwell:
            findings[name] = skipped(f"cannot be checked while there is no {' and no '.join(unwell)}")
        else:
            findings[name] = bounded(partial(check.examine, settings))
        yield name, findings[name]


def bounded(examine: Callable[[], Finding], limit_s: float = LIMIT_S) -> Finding:
    """What `examine` finds, or that it found nothing within `limit_s` seconds; it is then left to itself."""
    found: list[Finding] = []
    thread = threading.Thread(target=lambda: found.append(_survived(examine)), daemon=True)
    thread.start()
    thread.join(limit_s)
    return found[0] if found else failed(f"no answer within {limit_s:g} s", "See whether what it asks hangs.")


def _survived(examine: Callable[[], Finding]) -> Finding:
    """What `examine` finds; how it ended when it did not get that far."""
    try:
        return examine()
    except (UserError, BrokerError) as error:
        return failed(
            str(error),
            "See the check of permissions; else try again, and look at the logs of Kafka and Redis.",
        )
    except Exception as error:  # noqa: BLE001 - one check that ends badly must not keep the others from being made
        return failed(f"the check itself failed: {type(error).__name__}: {error}", "Report it, with this line.")
