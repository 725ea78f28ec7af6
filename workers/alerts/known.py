"""What a monitor knows of all episodes: in memory, in Redis where others see it, and in the log.

Of two records of a subject the newer one counts, wherever it is. So any two of the three may be lost, and come back
from the third.
"""

import logging
import threading
from collections import deque

from schemas.alerts import AlertRecord
from workers.admin import BrokerError
from workers.alerts.claims import Claims, ClaimsUnavailableError
from workers.alerts.log import AlertLog

logger = logging.getLogger(__name__)


class Known:
    """The last record of every subject. May be used by several threads; no method raises."""

    def __init__(self, claims: Claims, log: AlertLog) -> None:
        self._claims, self._log = claims, log
        self._records: dict[str, AlertRecord] = {}
        self._unlogged: deque[AlertRecord] = deque()
        self._lock = threading.Lock()  # of the two above
        self._publishing = threading.Lock()

    def records(self) -> dict[str, AlertRecord]:
        """The last record of each subject."""
        with self._lock:
            return dict(self._records)

    def learn(self, record: AlertRecord) -> None:
        """Take in a record, unless a newer one is known."""
        with self._lock:
            last = self._records.get(record.alert.subject)
            if last is None or last.at < record.at:
                self._records[record.alert.subject] = record

    def note(self, record: AlertRecord) -> None:
        """Write down what this monitor told, where the others look; it is published by the next `publish`."""
        self.learn(record)
        with self._lock:
            self._unlogged.append(record)
        try:
            self._claims.put(record)
        except ClaimsUnavailableError as error:  # the next `share` puts it there
            logger.warning("an alert is not in Redis yet", extra={"error": str(error)})

    def read(self) -> bool:
        """Learn from the log; False when Kafka is away.

        When Kafka was away for a while, several monitors publish what each of them told, in any order. Compaction keeps
        the last of a subject, so if that is not the newest one, the newest is published again.
        """
        try:
            news = self._log.news()
        except BrokerError as error:
            logger.warning("the log of alerts cannot be read", extra={"error": str(error)})
            return False
        for record in news:
            self.learn(record)
        known = self.records()
        with self._lock:
            for subject, record in {record.alert.subject: record for record in news}.items():
                if record.at < known[subject].at and known[subject] not in self._unlogged:
                    self._unlogged.append(known[subject])
        return True

    def publish(self) -> bool:
        """Publish what is not in the log yet, in order; False when Kafka is away."""
        with self._publishing:
            while self._unlogged:
                try:
                    self._log.publish(self._unlogged[0])
                except BrokerError as error:
                    logger.warning("an alert is not in the log yet", extra={"error": str(error)})
                    return False
                with self._lock:
                    self._unlogged.popleft()
        return True

    def share(self) -> bool:
        """Learn from Redis, and put back what it has lost; False when it is away."""
        try:
            shared = {record.alert.subject: record for record in self._claims.records()}
            for record in shared.values():
                self.learn(record)
            for subject, record in self.records().items():
                if subject not in shared or shared[subject].at < record.at:
                    self._claims.put(record)
        except ClaimsUnavailableError as error:
            logger.warning("monitors cannot agree on who tells", extra={"error": str(error)})
            return False
        return True
