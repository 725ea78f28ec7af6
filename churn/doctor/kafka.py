"""Checks of Kafka: the brokers, the topics, what this user may do, and the group of the workers."""

import time
from collections.abc import Mapping

from churn.doctor.finding import Finding, counted, duration, failed, ok, skipped, together, warning
from churn.errors import UserError
from churn.parts import kafka_admin
from churn.settings import Settings
from schemas.topics import DEAD_LETTERS, EVENTS, SCORES, TELEMETRY
from workers.admin import Bounds, BrokerError, Described, LoginError, TopicState

NEEDED = (
    (EVENTS, "READ"),
    (EVENTS, "WRITE"),
    (SCORES, "WRITE"),
    (DEAD_LETTERS, "WRITE"),
    (TELEMETRY, "WRITE"),
)


def brokers(settings: Settings) -> Finding:
    """Whether the brokers answer and let us in, and how long that takes."""
    try:
        admin = kafka_admin(settings)
        admin.brokers()  # connects
        started_s = time.perf_counter()
        count = admin.brokers()
    except UserError as error:
        return failed(str(error), "Set the KAFKA_ variables (docs/reference/settings.md).")
    except LoginError as error:
        return failed(
            f"the login as {settings.kafka_sasl_username!r} is refused: {error}",
            "Check KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD.",
        )
    except BrokerError as error:
        return failed(
            f"KAFKA_BOOTSTRAP_SERVERS={settings.kafka_bootstrap_servers}: {error}",
            "Check the address, that a broker listens there and can be reached from this machine, and that it speaks "
            f"{settings.kafka_security_protocol} (KAFKA_SECURITY_PROTOCOL).",
        )
    answer_ms = (time.perf_counter() - started_s) * 1000
    return ok(f"{counted(count, 'broker')} at {settings.kafka_bootstrap_servers}, answer in {answer_ms:.1f} ms")


def topics(settings: Settings) -> Finding:
    """Whether the topics are as declared, and every record has its copies."""
    admin = kafka_admin(settings)
    described = admin.described()
    try:
        differences = admin.differences()
    except BrokerError as error:
        differences = {}
        unread = [warning(f"their settings cannot be read: {error}", "Allow this user to DescribeConfigs of topics.")]
    else:
        unread = []
    return judged_topics(described, differences, unread, copies=settings.replication)


def judged_topics(
    described: Mapping[str, Described], differences: Mapping[str, list[str]], others: list[Finding], *, copies: int
) -> Finding:
    """What there is to say of the topics, `others` included; `copies` is how many each should have."""
    found = [*others]
    states = {name: state for name, state in described.items() if isinstance(state, TopicState)}
    if missing := [name for name, state in described.items() if state == "missing"]:
        found.append(failed(f"missing: {', '.join(missing)}", "Run `churn topics`, which creates what is missing."))
    if hidden := [name for name, state in described.items() if state == "hidden"]:
        found.append(warning(f"hidden from this user: {', '.join(hidden)}", "Have Describe of them allowed to it."))
    for name, state in states.items():
        found += [_different(name, difference) for difference in differences.get(name, ())]
        found += _judged_copies(name, state, copies)
    if copies == 1 and any(state.copies == 1 for state in states.values()):
        found.append(
            warning(
                "only one copy of each record",
                "A broken disk loses records. In production, set CHURN_REPLICATION=3 before the first `churn topics`.",
            )
        )
    return together(found or [ok(f"{counted(len(states), 'topic')} as declared, {copies} copies of each record")])


def _different(topic: str, difference: str) -> Finding:
    if difference.startswith("partitions "):
        return failed(
            f"{topic}: {difference}",
            "Set CHURN_PARTITIONS to what the topics have. If a topic got more since it holds records, see "
            "docs/decisions/0004-log-decides-redis-follows.md.",
        )
    return failed(f"{topic}: {difference}", "Alter the topic's settings with Kafka's kafka-configs.sh.")


def _judged_copies(topic: str, state: TopicState, copies: int) -> list[Finding]:
    found = []
    if state.copies < copies:
        found.append(
            failed(
                f"{topic}: {counted(state.copies, 'copy', 'copies')}, expected {copies}",
                "Add copies with Kafka's kafka-reassign-partitions.sh, or correct CHURN_REPLICATION.",
            )
        )
    if state.offline:
        found.append(
            failed(
                f"{topic}: {state.offline} of {state.partitions} partitions are offline",
                "Start the brokers that hold them.",
            )
        )
    if state.under_replicated:
        found.append(
            warning(
                f"{topic}: {state.under_replicated} of {state.partitions} partitions lack a copy",
                "A broker is down or behind: look at the brokers.",
            )
        )
    return found


def permissions(settings: Settings) -> Finding:
    """Whether this user may do what a scoring worker does."""
    admin = kafka_admin(settings)
    denied = []
    try:
        if "READ" not in admin.group_operations(settings.group):
            denied.append(f"read the group {settings.group}")
    except BrokerError as error:
        denied.append(f"read the group {settings.group} ({error})")
    try:
        admin.try_transactions(f"{settings.group}-churn-doctor")
    except BrokerError as error:
        denied.append(f"have transactions with ids that begin with {settings.group}- ({error})")
    return judged_permissions(
        admin.described(), denied, user=settings.kafka_sasl_username, checked=admin.checks_permissions()
    )


def judged_permissions(described: Mapping[str, Described], others: list[str], *, user: str, checked: bool) -> Finding:
    """What there is to say of the permissions for topics, and of what else was denied."""
    missing = sorted({topic for topic, _ in NEEDED if described[topic] == "missing"})
    denied = [
        f"{operation.lower()} {topic}"
        for topic, operation in NEEDED
        if topic not in missing and operation not in _allowed(described[topic])
    ]
    if denied := [*denied, *others]:
        name = f"User:{user}" if user else "this user"
        return failed(
            f"not possible: {', '.join(denied)}",
            f"Have it allowed to {name}; what a worker needs is in docs/how-to/run-in-production.md. "
            "Where transactions time out, see that there are transaction.state.log.replication.factor brokers.",
        )
    if missing:
        return skipped(f"missing topics cannot be asked for: {', '.join(missing)}")
    if not checked:
        return ok("the broker checks no permissions; transactions work")
    return ok("a worker's topics, group and transactions are allowed")


def _allowed(state: Described) -> frozenset[str]:
    return state.allowed if isinstance(state, TopicState) else frozenset()


def group(settings: Settings) -> Finding:
    """How many workers there are, and how far they are."""
    admin = kafka_admin(settings)
    workers = admin.members(settings.group)
    committed = admin.committed(settings.group)
    bounds = admin.bounds(EVENTS)
    if not bounds:
        return skipped(f"there is no {EVENTS}")
    newest_ms = admin.newest_ms(EVENTS)
    return judged_group(workers, lag(bounds, committed), None if newest_ms is None else time.time() - newest_ms / 1000)


def lag(bounds: Mapping[int, Bounds], committed: Mapping[int, int]) -> int:
    """How many records are not answered."""
    return sum(
        max(0, end - max(beginning, committed.get(number, beginning))) for number, (beginning, end) in bounds.items()
    )


def judged_group(workers: int, lag: int, newest_age_s: float | None) -> Finding:
    """What there is to say of the group; the age is that of the newest event."""
    newest = "no event yet" if newest_age_s is None else f"newest event {duration(max(0, newest_age_s))} ago"
    found = f"{counted(workers, 'worker') if workers else 'no worker'}, {counted(lag, 'event')} to answer, {newest}"
    if lag and not workers:
        return warning(found, "Start `churn score`; its log says why if it ends.")
    return ok(found)
