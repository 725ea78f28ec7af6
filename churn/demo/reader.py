"""Reads the scores and dead letters of the demo as any subscriber would: committed records only."""

import threading
from collections.abc import Mapping

from confluent_kafka import Consumer, TopicPartition

from churn.demo.tally import Tally
from schemas.deadletters import PREFIX
from schemas.scores import decode_score
from schemas.topics import DEAD_LETTERS, SCORES


class Reader:
    """A thread that fills the tally; used as a context."""

    def __init__(self, config: Mapping[str, str], tally: Tally) -> None:
        self._tally = tally
        self._consumer = Consumer(
            {
                **config,
                "group.id": "churn-demo",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 20,
            }
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)

    def __enter__(self) -> "Reader":
        topics = self._consumer.list_topics(timeout=10).topics
        places = [
            TopicPartition(name, number, 0) for name in (SCORES, DEAD_LETTERS) for number in topics[name].partitions
        ]
        self._consumer.assign(places)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._consumer.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            message = self._consumer.poll(0.1)
            # An error is librdkafka's to mend; what it does not deliver in the end is missing from the accounts.
            if message is None or message.error() is not None:
                continue
            if message.topic() == SCORES:
                self._tally.scored(decode_score(message.value() or b""))
            else:
                headers = dict(message.headers() or [])
                self._tally.dead_letter(f"{headers[PREFIX + 'partition']!r}/{headers[PREFIX + 'offset']!r}")
