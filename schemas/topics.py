"""The topics: names, partitions, how long records are kept, and what else a broker must be told of them."""

from dataclasses import dataclass, field

EVENTS = "customer.events"
SCORES = "churn.scores"
DEAD_LETTERS = "customer.events.dlq"
DECISIONS = "customer.events.dlq.decisions"
OUTCOMES = "customer.outcomes"
TELEMETRY = "churn.telemetry"

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic; `partitions` is None where the operator chooses (as many as `customer.events` has)."""

    name: str
    purpose: str
    retention_days: int
    partitions: int | None = None
    config: dict[str, str] = field(default_factory=dict)

    def settings(self) -> dict[str, str]:
        """The topic's configuration as Kafka names it."""
        return {"retention.ms": str(self.retention_days * _DAY_MS), "cleanup.policy": "delete", **self.config}


TOPICS = (
    # The broker's own clock: an upstream application with a wrong one can neither age records out nor hide a silence.
    Topic(EVENTS, "customer events, keyed by customer id", 400, config={"message.timestamp.type": "LogAppendTime"}),
    Topic(SCORES, "one answer for each valid event, keyed by customer id", 30),
    # A dead letter is the record that it was, which may be as large as the broker allows, and a few headers.
    Topic(
        DEAD_LETTERS,
        "records that can never be used, as they came",
        90,
        partitions=1,
        config={"max.message.bytes": "2097152"},
    ),
    # Kept for longer than the letters: without its decision a letter would be open again, and could be sent twice.
    Topic(
        DECISIONS,
        "what was decided about dead letters",
        400,
        partitions=1,
        config={"cleanup.policy": "compact,delete"},
    ),
    # One partition each: volumes are small, and whoever measures accuracy sees all of it.
    Topic(OUTCOMES, "who left and who stayed, keyed by customer id", 1200, partitions=1),
    Topic(TELEMETRY, "summaries of what each process did, every few seconds", 14, partitions=1),
)
