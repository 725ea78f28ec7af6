"""The job every peer does: decode an event, read ten features from Redis, logistic regression with three reasons, encode.

`python job.py EVENTS` loads 50,000 customers into Redis and EVENTS events into the topic `peer.events` (4 partitions).
Reads KAFKA_BOOTSTRAP_SERVERS and REDIS_URL. Needs: confluent-kafka, redis[hiredis], msgspec, numpy.
"""
import os
import random
import sys
import time

import msgspec
import numpy as np

BOOTSTRAP = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092")
REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379")
CUSTOMERS = 50_000
FEATURES = ["tenure_months", "spend_30d", "calls_30d", "orders_90d", "late_payments", "complaints_90d", "data_gb_30d",
            "intl_plan", "contract_months_left", "days_since_order"]
COEF, MEAN, STD, INTERCEPT = np.linspace(-0.5, 0.5, 10), np.full(10, 5.0), np.full(10, 7.0), -1.0


class Event(msgspec.Struct):
    event_id: str
    customer_id: str
    type: str
    occurred_at: str
    source: str
    schema_version: int
    data: dict


class Reason(msgspec.Struct):
    feature: str
    contribution: float


class Score(msgspec.Struct):
    event_id: str
    customer_id: str
    scored_at: float
    model_version: str
    probability: float
    reasons: list[Reason]


decode_event = msgspec.json.Decoder(Event).decode
decode_features = msgspec.msgpack.Decoder(list[float]).decode
encode = msgspec.json.Encoder().encode


def score(events: list[Event], blobs: list[bytes]) -> list[bytes]:
    contributions = (np.array([decode_features(b) for b in blobs]) - MEAN) / STD * COEF
    probabilities = (1 / (1 + np.exp(-(contributions.sum(1) + INTERCEPT)))).tolist()
    top, rows, now = np.argsort(-contributions, axis=1)[:, :3].tolist(), contributions.tolist(), time.time()
    return [encode(Score(e.event_id, e.customer_id, now, "v1", p, [Reason(FEATURES[j], row[j]) for j in best]))
            for e, p, best, row in zip(events, probabilities, top, rows)]


class Clock:
    """Starts at the first event, so joining the group is not counted."""

    def __init__(self, name: str, goal: int):
        self.name, self.goal, self.done, self.start = name, goal, 0, None

    def add(self, count: int) -> bool:
        if self.start is None:
            self.start, self.cpu = time.time(), time.process_time()
        self.done += count
        if self.done < self.goal:
            return False
        elapsed, cpu = time.time() - self.start, time.process_time() - self.cpu
        print(f"{self.name}: {self.done / elapsed:.0f} events/s, {1e6 * cpu / self.done:.1f} us CPU/event", flush=True)
        return True


def main() -> None:
    import redis
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewTopic

    count, rnd = int(sys.argv[1]), random.Random(1)
    pipe = redis.Redis.from_url(REDIS_URL).pipeline(transaction=False)
    for c in range(CUSTOMERS):
        values = [rnd.random() * 20 for _ in FEATURES]
        pipe.set(f"peer:m:{c}", msgspec.msgpack.encode(values))
        pipe.hset(f"peer:h:{c}", mapping=dict(zip(FEATURES, values)))
        if c % 5000 == 4999:
            pipe.execute()
    admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
    # Not in the original: `peer.scores`. Where the broker does not create topics by itself, and Kafka is advised not to,
    # Faust waits for ever in its first send, saying "Topic peer.scores not found in cluster metadata", and ignores SIGTERM.
    for future in admin.create_topics([NewTopic("peer.events", 4, 1), NewTopic("peer.scores", 4, 1)]).values():
        future.result()
    producer = Producer({"bootstrap.servers": BOOTSTRAP, "linger.ms": 50, "queue.buffering.max.messages": 1_000_000})
    for i in range(count):
        c = str(rnd.randrange(CUSTOMERS))
        producer.produce("peer.events", key=c.encode(), value=encode(Event(
            f"{i:032x}", c, "call.started", "2026-11-24T11:00:00Z", "call-center", 1, {"wait_s": rnd.randint(0, 600)})))
        if i % 1000 == 0:
            producer.poll(0)
    producer.flush()
    print(f"{count} events in peer.events")


if __name__ == "__main__":
    main()
