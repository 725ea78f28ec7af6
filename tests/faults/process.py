"""`churn score` as a process that fails where and when a test wants it to: `python -m tests.faults.process JSON`."""

import os
import signal
import sys
import time
from collections.abc import Callable
from itertools import count
from typing import Literal

import msgspec

from churn.__main__ import main
from workers import failpoints
from workers.failpoints import Point
from workers.scoring import log, transactions


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What happens at the n-th time that a point is reached, once."""

    point: Point
    nth: int = 1
    does: Literal["kill", "pause", "sleep", "raise"] = "kill"
    sleep_s: float = 0.0
    says: str = ""  # the error that is raised, and a variable of the function that raises it


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """A worker process; with shorter time-outs what a dead one leaves behind is over earlier."""

    fault: Fault | None = None
    pace_s: float = 0.0  # taken by each batch, so that a fast machine is not done before the fault
    session_timeout_ms: int = log.SESSION_TIMEOUT_MS
    between_polls_ms: int = log.MOST_BETWEEN_POLLS_MS
    transaction_timeout_ms: int = transactions.TRANSACTION_TIMEOUT_MS
    offsets_deadline_s: float = transactions.OFFSETS_DEADLINE_S


def _trigger(fault: Fault) -> Callable[[], None]:
    reached = count(1)

    def act() -> None:
        if next(reached) != fault.nth:
            return
        if fault.does == "sleep":
            time.sleep(fault.sleep_s)
        elif fault.does == "raise":
            local = fault.says
            raise ValueError(local)
        else:
            os.kill(os.getpid(), signal.SIGKILL if fault.does == "kill" else signal.SIGSTOP)

    return act


def _paced(pace_s: float, then: Callable[[], None]) -> Callable[[], None]:
    def act() -> None:
        time.sleep(pace_s)
        then()

    return act


def quick(fault: Fault | None = None) -> Behaviour:
    """A worker with short time-outs, so that a short run is short, and ten batches a second at most."""
    return Behaviour(
        fault=fault, pace_s=0.1, session_timeout_ms=2_000, transaction_timeout_ms=4_000, offsets_deadline_s=7.0
    )


if __name__ == "__main__":
    behaviour = msgspec.json.decode(sys.argv[1], type=Behaviour)
    log.SESSION_TIMEOUT_MS, log.MOST_BETWEEN_POLLS_MS = behaviour.session_timeout_ms, behaviour.between_polls_ms
    transactions.TRANSACTION_TIMEOUT_MS = behaviour.transaction_timeout_ms
    transactions.OFFSETS_DEADLINE_S = behaviour.offsets_deadline_s
    if behaviour.fault:
        failpoints.armed[behaviour.fault.point] = _trigger(behaviour.fault)
    if behaviour.pace_s:
        failpoints.armed["offsets"] = _paced(behaviour.pace_s, failpoints.armed.get("offsets", lambda: None))
    sys.argv[1:] = ["score"]
    main()
