"""Which errors may be quoted: a message may hold what somebody sent, so that only those listed here are told whole.

Logs and Sentry both ask here.
"""

import traceback
from collections.abc import Iterator

# Their messages are written by us, of what no customer and no caller has sent.
CLEAN = frozenset(
    {
        "churn.errors.UserError",
        "model.artifact.ModelError",
        "model.state.DamagedStateError",
        "workers.admin.BrokerError",
        "workers.admin.LoginError",
        "workers.scoring.transactions.AbortedError",
        "workers.scoring.transactions.FencedError",
        "workers.scoring.transactions.LogError",
        "workers.store.StoreUnavailableError",
    }
)
WITHHELD = "(message withheld)"
OURS = frozenset({"churn", "model", "producers", "schemas", "workers"})


def is_ours(module: str) -> bool:
    """Whether a module, or the logger that is called like it, is of this project."""
    return module.partition(".")[0] in OURS


def told(error: BaseException) -> str:
    """The type of an error, and its message where that may be told."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"{name}: {error if name in CLEAN else WITHHELD}"


def traceback_of(error: BaseException) -> str:
    """The traceback of an error and of those that led to it, the first of them first, without what they quote."""
    return "\n".join("".join(traceback.format_tb(one.__traceback__)) + told(one) for one in [*_chain(error)][::-1])


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
