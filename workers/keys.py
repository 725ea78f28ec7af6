"""Every Redis key. One partition's keys share a hash tag, so that they live in one Redis Cluster slot."""

PREFIX = "churn:"


def applied_key(partition: int) -> str:
    """Where the partition's applied offset is kept."""
    return f"{PREFIX}{{{partition}}}:applied"


def customer_key(partition: int, customer: str) -> str:
    """Where a customer's state is kept."""
    return f"{PREFIX}{{{partition}}}:c:{customer}"
