"""Every kind of alert: how bad it is, whom it concerns, and what to look at first.

The rest of what there is to say of a kind is in its section of docs/runbook.md, which has its name.
"""

from datetime import datetime

import msgspec

from schemas.alerts import Alert, Audience, Severity


class Kind(msgspec.Struct, frozen=True):
    """What all alerts of a kind have in common."""

    name: str
    severity: Severity
    audience: Audience
    look_at: str

    def alert(self, summary: str, *, since: datetime, about: str = "") -> Alert:
        """An alert of this kind; `about` tells it from others of the kind, and `summary` says what is wrong."""
        return Alert(
            kind=self.name,
            about=about,
            severity=self.severity,
            audience=self.audience,
            summary=summary,
            since=since,
            look_at=self.look_at,
        )


TOPIC_QUIET = Kind(
    "topic-quiet", "critical", "oncall", "whether the applications that publish to the topic run and reach Kafka"
)
WORKERS_DEAD = Kind(
    "workers-dead", "critical", "oncall", "whether any `churn score` runs, and the last lines of the log of one"
)
WORKERS_STALLED = Kind(
    "workers-stalled", "critical", "oncall", "the log of a worker; it says what it waits for and tries again"
)
BROKER_AWAY = Kind("broker-away", "critical", "oncall", "whether the brokers run, and `churn doctor` on this machine")
REDIS_AWAY = Kind(
    "redis-away", "critical", "oncall", "whether Redis runs and has memory left, and `churn doctor` where a worker runs"
)
MANY_DEAD_LETTERS = Kind(
    "many-dead-letters", "warning", "oncall", "`churn dlq list`, which counts the dead letters by error class"
)
MISROUTED_EVENTS = Kind(
    "misrouted-events", "warning", "oncall", "which application publishes with another partitioner than murmur2"
)
MANY_COULD_NOT_COMPUTE = Kind(
    "many-could-not-compute", "warning", "oncall", "the codes on the dashboard, and which events do not come any more"
)
FEATURE_DRIFT = Kind(
    "feature-drift", "warning", "data", "the feature's distribution on the dashboard, beside that of the training data"
)
CALIBRATION_DRIFT = Kind(
    "calibration-drift", "warning", "data", "predicted against observed shares of leavers on the dashboard"
)
TEST = Kind("test", "warning", "oncall", "nothing; somebody ran `churn alert test`")

KINDS = {
    kind.name: kind
    for kind in (
        TOPIC_QUIET,
        WORKERS_DEAD,
        WORKERS_STALLED,
        BROKER_AWAY,
        REDIS_AWAY,
        MANY_DEAD_LETTERS,
        MISROUTED_EVENTS,
        MANY_COULD_NOT_COMPUTE,
        FEATURE_DRIFT,
        CALIBRATION_DRIFT,
        TEST,
    )
}
