"""A Kafka and a Redis for this machine, whatever is installed on it, and their end.

Everything that a stack leaves on disk is in one folder. Who holds the folder's lock may start and end services there.
What an owner that was killed left running is found by pid files and containers' labels, and ended before the next
start. A stack starts empty: it is for trying and for tests.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from churn.stack import rungs
from churn.stack.errors import StackError
from churn.stack.process import Process
from churn.stack.ready import kafka_trouble, redis_trouble, tcp_trouble
from churn.stack.record import Record, Service, Stack, read, remove, without_password, write
from churn.stack.signals import ending_runs_finally, undisturbed


class ServiceStatus(msgspec.Struct, frozen=True):
    """A service of a stack and whether it answers; `trouble` says why not."""

    name: str
    address: str  # without a password
    rung: str
    answers: bool
    trouble: str | None


@contextmanager
def running(
    folder: Path, *, kafka_bootstrap: str | None, redis_url: str | None, docker: bool, report: rungs.Report
) -> Iterator[Stack]:
    """Keep a stack for as long as the context lasts, however that ends: by an exception, Ctrl-C, SIGTERM or SIGHUP too.

    A service whose address is given is used and never ended. The other is started, in Docker if `docker` and a daemon
    answers. A stack that `up` left in `folder` is used as it is, and left. `report` is told what each stands on.
    Raises `StackError` when a service cannot be started or reached, or the folder is in use.
    """
    folder = folder.resolve()
    if kafka_bootstrap is not None and redis_url is not None:
        yield _start(folder, kafka_bootstrap, redis_url, docker=False, report=report)
        return
    with ending_runs_finally():
        with _claimed(folder):
            stack = _kept(folder, kafka_bootstrap, redis_url, report)
            if stack is None:
                try:
                    _end_leftovers(folder, report)
                    stack = _start(folder, kafka_bootstrap, redis_url, docker=docker, report=report)
                    write(folder, Record(stack, kept=False))
                    yield stack
                finally:
                    with undisturbed():
                        _end(folder, report)
                return
        yield stack


def up(
    folder: Path, *, kafka_bootstrap: str | None, redis_url: str | None, docker: bool, report: rungs.Report
) -> Stack:
    """Start a stack, as `running` does, and leave it running; one that is up and answers is left as it is.

    Raises `StackError` when a service cannot be started or reached, or the folder is in use; nothing is left then.
    """
    folder = folder.resolve()
    with ending_runs_finally(), _claimed(folder):
        stack = _kept(folder, kafka_bootstrap, redis_url, report)
        if stack is None:
            try:
                _end_leftovers(folder, report)
                stack = _start(folder, kafka_bootstrap, redis_url, docker=docker, report=report)
                write(folder, Record(stack, kept=True))
            except BaseException:
                with undisturbed():
                    _end(folder, report)
                raise
        return stack


def down(folder: Path, *, report: rungs.Report) -> list[str]:
    """End what runs of the stack in `folder`, also what a killed owner left; the names of the services ended.

    Raises `StackError` when another process is using the folder.
    """
    folder = folder.resolve()
    with _claimed(folder):
        return _end(folder, report)


def status(folder: Path) -> list[ServiceStatus]:
    """Each service of the stack in `folder`, asked now; empty where none is recorded.

    Raises `StackError` when the record cannot be read.
    """
    record = read(folder)
    return [
        ServiceStatus(
            name=service.name,
            address=without_password(service.address),
            rung=service.rung,
            answers=(trouble := _trouble(service)) is None,
            trouble=trouble,
        )
        for service in (record.stack.services if record else ())
    ]


@contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which the kernel frees when its owner dies."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise StackError(f"the stack's folder cannot be used: {error}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(f"another process is using the stack in {folder}; let it end first") from None
        yield


def _kept(folder: Path, kafka_bootstrap: str | None, redis_url: str | None, report: rungs.Report) -> Stack | None:
    """Find the stack that `up` left in the folder, if it answers."""
    record = read(folder)
    if record is None or not record.kept or any(_trouble(service) for service in record.stack.services):
        return None
    for service, given in zip(record.stack.services, (kafka_bootstrap, redis_url), strict=True):
        if given not in {None, service.address}:
            raise StackError(f"a stack with another {service.name} is up in {folder}; `churn stack down` ends it")
        report(f"{service.rung} (up already)")
    return record.stack


def _start(
    folder: Path, kafka_bootstrap: str | None, redis_url: str | None, *, docker: bool, report: rungs.Report
) -> Stack:
    docker = docker and rungs.docker_answers()
    if kafka_bootstrap is None:
        kafka = rungs.start_kafka(folder, docker=docker, report=report)
    else:
        kafka = rungs.given_kafka(kafka_bootstrap)
    report(kafka.rung)
    if redis_url is None:
        redis = rungs.start_redis(folder, docker=docker, report=report)
    else:
        redis = rungs.given_redis(redis_url)
    report(redis.rung)
    return Stack(kafka, redis)


def _end_leftovers(folder: Path, report: rungs.Report) -> None:
    if ended := _end(folder, report):
        report(f"Ended what an earlier stack had left running: {', '.join(ended)}")


def _end(folder: Path, report: rungs.Report) -> list[str]:
    """End whatever runs of the stack, known to a record or not; the names of the services ended."""
    ended = []
    for name in ("kafka", "redis"):
        process = Process(name, folder / name)
        if process.alive():
            process.stop()
            ended.append(name)
    ended += rungs.remove_containers(folder, report)
    remove(folder)
    return sorted(ended)


def _trouble(service: Service) -> str | None:
    if service.name == "redis":
        return redis_trouble(service.address)
    return kafka_trouble(service.address) if service.ours else tcp_trouble(service.address)
