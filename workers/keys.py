"""Every Redis key. One partition's keys share a hash tag, so that they live in one Redis Cluster slot."""

PREFIX = "churn:"


def applied_key(partition: int) -> str:
    """Where the partition's applied offset is kept."""
    return f"{PREFIX}{{{partition}}}:applied"


def customer_key(partition: int, customer: str) -> str:
    """Where a customer's state is kept."""
    return f"{PREFIX}{{{partition}}}:c:{customer}"


EPISODES_KEY = f"{PREFIX}alerts:episodes"  # a hash of every subject's last record


def lease_key(subject: str) -> str:
    """Held by the monitor that is just telling of an alert's subject."""
    return f"{PREFIX}alerts:lease:{subject}"
