"""Whom alerts are sent to, by Apprise: each receiver in a thread of its own, with bounded time and retries.

What a receiver is called here and in the logs never has a secret in it. Apprise's own lines may, and go nowhere.
"""

import logging
import random
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import Future
from copy import copy
from typing import NamedTuple

import apprise

from schemas.alerts import Alert
from workers.alerts.message import Message

logger = logging.getLogger(__name__)

CALL_TIMEOUT_S = 10.0  # of one connection, and of one answer
FIRST_WAIT_S = 1.0  # before the second attempt; twice as long before each one after
RETRIES_S = 25.0  # no attempt begins later than this after the first one
PATIENCE_S = RETRIES_S + 2 * CALL_TIMEOUT_S  # after this, who has not answered has not been told
HOUR_S = 3600.0
RATE_LIMIT = "rate limit"
LATE = "no answer in time"

ROUTES = ("critical", "warning", "oncall", "data")
_ROUTE = re.compile(f"({'|'.join(ROUTES)})=(.*)")
# Elsewhere what stands in the place of a host may be a token.
_WITH_HOST = {"json", "jsons", "form", "forms", "xml", "xmls", "mailto", "mailtos"}

Told = dict[str, str | None]  # by receiver: why it has not got the message, None when it has


class ReceiversError(Exception):
    """A receiver cannot be used; the message names its place in the list and has no secret in it."""


class _Why(logging.Filter):
    """Takes from Apprise's lines why a message did not arrive, and lets none of them through: they may hold secrets."""

    def __init__(self) -> None:
        super().__init__()
        self.of_thread = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:
        """Never true."""
        line = record.getMessage()
        if code := re.search(r"error=(\d{3})\b", line):
            self.of_thread.said = f"it answered {code[1]}"
        elif "onnection error" in line:
            self.of_thread.said = "it cannot be reached, or refuses"
        return False


_why = _Why()


class Receiver(NamedTuple):
    """One receiver; `route` limits it to a severity or an audience."""

    name: str
    service: apprise.NotifyBase
    route: str | None

    def hears(self, alert: Alert) -> bool:
        """Whether the alert is for it."""
        return self.route in (None, alert.severity, alert.audience)


def parsed(urls: str) -> list[Receiver]:
    """The receivers in a list separated by blanks; raises `ReceiversError` when Apprise cannot use one."""
    _hush()
    return [_parsed(number, word) for number, word in enumerate(urls.split(), 1)]


class Receivers:
    """All of them; a receiver gets at most `per_hour` messages an hour, half of which are kept for critical alerts."""

    def __init__(
        self,
        receivers: Collection[Receiver],
        *,
        per_hour: int,
        patience_s: float = PATIENCE_S,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._receivers = {receiver.name: receiver for receiver in receivers}
        self._budgets = {name: _Budget(per_hour) for name in self._receivers}
        self._patience_s = patience_s
        self._sleep, self._clock = sleep, clock

    @property
    def names(self) -> list[str]:
        """What each is called."""
        return list(self._receivers)

    def hearing(self, alert: Alert) -> list[str]:
        """The names of those that the alert is for."""
        return [receiver.name for receiver in self._receivers.values() if receiver.hears(alert)]

    def tell(self, message: Message, names: Collection[str]) -> "Future[Told]":
        """Send to those called `names`, all at once; returns at once, and the result comes within `patience_s`."""
        told: Future[Told] = Future()
        threading.Thread(target=self._tell_all, args=(message, names, told), name="alert", daemon=True).start()
        return told

    def _tell_all(self, message: Message, names: Collection[str], told: "Future[Told]") -> None:
        results: Told = {}

        def run(receiver: Receiver) -> None:
            results[receiver.name] = self._tell(receiver, message)

        threads = [threading.Thread(target=run, args=(self._receivers[name],), daemon=True) for name in names]
        deadline_s = time.monotonic() + self._patience_s
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))
        told.set_result({name: results.get(name, LATE) for name in names})

    def _tell(self, receiver: Receiver, message: Message) -> str | None:
        """Try until it has got the message, or there is no time left; why not, or None."""
        started_s, budget = self._clock(), self._budgets[receiver.name]
        if not budget.take(started_s, critical=message.severity == "critical"):
            return RATE_LIMIT
        wait_s = FIRST_WAIT_S
        while why := _send(receiver, message):
            pause_s = wait_s * random.uniform(0.5, 1.5)
            if self._clock() + pause_s > started_s + RETRIES_S:
                budget.give_back()
                return why
            logger.warning("an alert did not arrive; trying again", extra={"receiver": receiver.name, "why": why})
            self._sleep(pause_s)
            wait_s *= 2
        return None


class _Budget:
    """The messages that a receiver may get within an hour."""

    def __init__(self, per_hour: int) -> None:
        self._per_hour = per_hour
        self._taken_s: deque[float] = deque()
        self._lock = threading.Lock()

    def take(self, now_s: float, *, critical: bool) -> bool:
        """Whether there was one left, which is now taken."""
        with self._lock:
            while self._taken_s and self._taken_s[0] <= now_s - HOUR_S:
                self._taken_s.popleft()
            if len(self._taken_s) >= (self._per_hour if critical else (self._per_hour + 1) // 2):
                return False
            self._taken_s.append(now_s)
            return True

    def give_back(self) -> None:
        """One that was taken did not arrive."""
        with self._lock:
            self._taken_s.pop()


def _parsed(number: int, word: str) -> Receiver:
    match = _ROUTE.fullmatch(word)
    route, url = match.groups() if match else (None, word)
    service = apprise.Apprise.instantiate(url)
    if service is None:
        raise ReceiversError(
            f"number {number} is not a URL that Apprise can use; expected for instance mailtos://user:password@host, "
            f"after {', '.join(f'{route}=' for route in ROUTES)} or nothing"
        )
    service.socket_connect_timeout = min(service.socket_connect_timeout, CALL_TIMEOUT_S)
    service.socket_read_timeout = min(service.socket_read_timeout, CALL_TIMEOUT_S)
    where = service.schema
    if where in _WITH_HOST:
        where += f"://{service.host}" + (f":{service.port}" if service.port else "")
    return Receiver(f"{where} ({number})", service, route)


def _send(receiver: Receiver, message: Message) -> str | None:
    """One attempt; why it failed, or None."""
    _why.of_thread.said = "no reason is known"
    try:
        arrived = copy(receiver.service).notify(  # each has its own time of the last message, before which some wait
            title=message.title, body=message.body, notify_type=message.tone, body_format=apprise.NotifyFormat.TEXT
        )
    except Exception as error:  # noqa: BLE001 - a hundred plug-ins, and none may end the telling of the others
        return type(error).__name__  # its text may hold a secret
    return None if arrived else str(_why.of_thread.said)


def _hush() -> None:
    """Let no line of Apprise reach a log, and no path of a URL: both may hold secrets."""
    logging.getLogger("apprise").addFilter(_why)
    logging.getLogger("urllib3").setLevel(logging.WARNING)
