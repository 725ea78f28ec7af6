"""`churn api` with mistakes in it that quote what was sent: `python -m tests.faults.broken_api api --port ...`.

A customer whose id begins with `broken` is one; a folder called `broken` among the models is another.
"""

from pathlib import Path

from churn.__main__ import main
from schemas.partitioning import partition_of
from workers.api import batches, predict
from workers.api.models import Models
from workers.api.problems import ApiError

look = Models._look
row_of = predict._row


def partition(customer: str, partitions: int) -> int:
    """The customer's partition, but of one."""
    if customer.startswith("broken"):
        raise KeyError(customer)
    return partition_of(customer, partitions)


def row(line: bytes) -> "predict.Row | ApiError":
    """The row, but of a line that begins with `broken`."""
    if line.startswith(b"broken"):
        raise ValueError(line)
    return row_of(line)


def looks(models: Models) -> None:
    """Looks for a model, and fails on what is in a file called `broken`."""
    broken: Path = models._seen.parent / "broken"
    if broken.exists():
        local = broken.read_text()
        raise RuntimeError(local)
    look(models)


if __name__ == "__main__":
    batches.partition_of = partition  # type: ignore[attr-defined]
    predict._row = row
    Models._look = looks  # type: ignore[method-assign,assignment]
    main()
