"""`churn api` under load, and FastAPI and MLServer beside it, in one run.

Each server is one process (MLServer: without workers beside it) pinned to one core; wrk, and Redis, have another. Asked
are the 2,850 customers of the bundled data, in random order, over connections that are kept.

- **Peak**: many connections that each think for a while before they ask again, so that the rate, twice what is
  expected at most, hardly depends on how fast the answers come. What counts is the p99, and that nothing fails.
- **Knee**: ever more connections without a pause, until requests per second grow no more.
- **Side by side**: three rounds in which each server has its turn at its knee; its fastest counts. All score with the
  same model. FastAPI reads thirteen ready features from Redis and gives probability and reasons, written as its
  documentation shows: with the scikit-learn pipeline, and once more with our model code in its place. MLServer is
  sent the features and gives probabilities only. Ours reads the customer's state, computes the features with their
  freshness from it, and gives the whole answer; once more as an inference server, like MLServer.
- **Memory** of all of the server's processes, before the peak and at the end.

What else the machine does slows them all, and not by the same: figures of different runs cannot be compared.
"""

import os
import pickle
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import click
import httpx
import msgspec
from redis import Redis
from rich.console import Console

from churn.settings import Settings
from churn.stack.ports import free_port
from churn.stack.redis import LocalRedis
from model.artifact import save
from model.features import FEATURES
from model.fold import event_ms, fold
from model.state import CustomerState
from model.table import Moment, training_table
from model.training import train
from model.vector import Vectorizer
from producers.datasets import IRANIAN_FILE, load
from producers.history import OBSERVED_AT
from schemas.cloudevents import to_ms
from tests.bench.http_report import (
    CURVES,
    EXPECTED_PEAK_PER_S,
    FASTAPI,
    INFER,
    MLSERVER,
    OURS,
    RATIOS,
    Load,
    Ratio,
    Report,
    missed_of,
    show,
)  # fmt: skip
from tests.bench.running import HERE, ROOT, FailedError, how_it_ended, measure, process_of, python_of
from tests.integration.api import write_states

PEAK_CONNECTIONS = 400
PEAK_S, STEP_S, ROUND_S = 20, 4, 6
ROUNDS = 3
MOST_CONNECTIONS = 512
GROWTH = 1.05  # two steps that bring less are behind the knee
START_S, LIMIT_S = 60.0, 900.0
MODEL = "churn-splines"


class Target(NamedTuple):
    """A server and what it is asked: `path` is for POST, where the lines of `asked` are bodies and not paths."""

    name: str
    url: str
    asked: Path
    path: str | None = None


class Bench:
    """One run in `folder`, which is emptied; every process that it starts is gone when its part is over."""

    def __init__(self, folder: Path, console: Console) -> None:
        self._folder, self._console = folder, console
        self._server_core, self._other_core = _cores()
        self._clean = {name: value for name, value in os.environ.items() if not name.startswith(("CHURN_", "REDIS_"))}

    def run(self) -> Report:
        """All of it; raises `FailedError`."""
        load_average = os.getloadavg()[0]
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        pythons = {name: python_of(name, self._tell) for name in ("fastapi", "mlserver")}
        redis = LocalRedis(self._folder / "redis")
        redis.start()
        try:
            os.sched_setaffinity(redis.process.pid or 0, {self._other_core})
            self._prepare(redis.url)
            return self._measure(redis.url, pythons, load_average)
        finally:
            redis.stop()

    def _prepare(self, redis_url: str) -> None:
        """Train the model, write customers and requests."""
        self._tell("Training a model on recorded customers, writing them to Redis")
        dataset = load(IRANIAN_FILE)
        moments = [Moment(one.subject, to_ms(OBSERVED_AT), one.data.churned) for one in dataset.outcomes]
        table = training_table(dataset.events, moments, Vectorizer(FEATURES))
        artifact, pipeline = train(table, FEATURES, data_name=dataset.name, trained_at=datetime.now(UTC))
        save(artifact, self._folder / "models")
        names = artifact.manifest.features
        peer = self._folder / "peer"
        peer.mkdir()
        (peer / "pipeline.joblib").write_bytes(pickle.dumps(pipeline))  # joblib reads this, too
        (peer / "features.json").write_bytes(msgspec.json.encode(names))
        states: dict[str, CustomerState] = {}
        for event in dataset.events:
            fold(states.setdefault(event.subject, CustomerState.new()), event, event_ms(event))
        write_states(redis_url, states)
        vectorizer = Vectorizer(artifact.features)
        now_ms = time.time_ns() // 1_000_000
        rows = vectorizer.matrix([vectorizer.read(state, now_ms) for state in states.values()]).values.tolist()
        paths, ours, theirs = [], [], []
        with Redis.from_url(redis_url) as client:
            pipe: Any = client.pipeline(transaction=False)
            for customer, row in zip(states, rows, strict=True):
                pipe.hset(f"peer:{customer}", mapping=dict(zip(names, row, strict=True)))
                paths.append(f"/predict?customer={customer}")
                tensor = {"name": "features", "shape": [1, len(row)], "datatype": "FP64", "data": row}
                ours.append(msgspec.json.encode({"inputs": [tensor]}).decode())
                theirs.append(
                    msgspec.json.encode({"inputs": [tensor], "outputs": [{"name": "predict_proba"}]}).decode()
                )
            pipe.execute()
        for name, lines in (("paths", paths), ("ours", ours), ("theirs", theirs)):
            (self._folder / name).write_text("\n".join(lines) + "\n")

    def _measure(self, redis_url: str, pythons: Mapping[str, str], load_average: float) -> Report:
        folder = self._folder
        ports = [free_port() for _ in range(6)]
        ours_url, fastapi_url, curves_url, mlserver_url = (f"http://127.0.0.1:{port}" for port in ports[:4])
        environment = self._clean | {"REDIS_URL": redis_url, "CHURN_MODELS": str(folder / "models"),
                                     "CHURN_API_ACCESS_LOG": "0", "CHURN_API_RATE_PER_S": "1000000"}  # fmt: skip
        fastapi = self._clean | {"REDIS_URL": redis_url, "PEER_MODEL": str(folder / "peer"), "PYTHONPATH": str(ROOT)}
        uvicorn = [pythons["fastapi"], "-m", "uvicorn", "fastapi_app:app", "--no-access-log", "--log-level", "warning"]
        self._write_mlserver(ports[3:])
        targets = [
            Target(OURS, ours_url, folder / "paths"),
            Target(INFER, ours_url, folder / "ours", f"/v2/models/{MODEL}/infer"),
            Target(FASTAPI, fastapi_url, folder / "paths"),
            Target(CURVES, curves_url, folder / "paths"),
            Target(MLSERVER, mlserver_url, folder / "theirs", f"/v2/models/{MODEL}/infer"),
        ]
        with ExitStack() as servers:
            command = [sys.executable, "-m", "churn", "api", "--port", str(ports[0])]
            ours = servers.enter_context(self._server(OURS, command, environment, ROOT, f"{ours_url}/readyz"))
            for name, port, more in ((FASTAPI, ports[1], {}), (CURVES, ports[2], {"PEER_CURVES": "1"})):
                command = [*uvicorn, "--port", str(port)]
                url = f"http://127.0.0.1:{port}/openapi.json"
                servers.enter_context(self._server(name, command, fastapi | more, HERE / "peers", url))
            command = [str(Path(pythons["mlserver"]).parent / "mlserver"), "start", str(folder / "mlserver")]
            ready = f"{mlserver_url}/v2/models/{MODEL}/ready"
            servers.enter_context(self._server(MLSERVER, command, self._clean, folder, ready))
            self._check(targets)
            self._load(targets[0], 64, ROUND_S)  # what a server has not done yet, it has not kept in memory
            before_mb = _memory_mb(ours.pid)
            think_ms = 1000 * PEAK_CONNECTIONS / (2 * EXPECTED_PEAK_PER_S)
            peak = self._load(targets[0], PEAK_CONNECTIONS, PEAK_S, think_ms)
            self._tell(f"Peak: {peak.per_s:,.0f} requests/s, p99 {peak.p99_ms:.1f} ms, {peak.errors} errors")
            knees = {target.name: self._knee(target) for target in targets}
            fastest: dict[str, Load] = {}
            for _ in range(ROUNDS):
                for target in targets:
                    best = max(knees[target.name], key=lambda step: step.per_s)
                    load = self._load(target, best.connections, ROUND_S)
                    fastest[target.name] = max(load, fastest.get(target.name, load), key=lambda one: one.per_s)
            memory_mb = before_mb, _memory_mb(ours.pid)
        ratios = [Ratio(a, b, fastest[a].per_s / fastest[b].per_s, required) for a, b, required in RATIOS]
        return Report(
            datetime.now(UTC), os.cpu_count() or 0, load_average, 2 * EXPECTED_PEAK_PER_S, peak, knees, fastest, ratios,
            memory_mb, missed_of(peak, knees, ratios, memory_mb),
        )  # fmt: skip

    def _write_mlserver(self, ports: Sequence[int]) -> None:
        """The settings of MLServer; without workers beside it, which one core would only have to share with."""
        http, grpc, metrics = ports
        folder = self._folder / "mlserver"
        folder.mkdir()
        model = {"name": MODEL, "implementation": "mlserver_sklearn.SKLearnModel",
                 "parameters": {"uri": str(self._folder / "peer" / "pipeline.joblib")}}  # fmt: skip
        server = {"host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics, "debug": False,
                  "parallel_workers": 0}  # fmt: skip
        (folder / "model-settings.json").write_bytes(msgspec.json.encode(model))
        (folder / "settings.json").write_bytes(msgspec.json.encode(server))

    @contextmanager
    def _server(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path, ready: str
    ) -> Iterator["subprocess.Popen[bytes]"]:
        """Run a server on its core; the value comes when it is ready."""
        log = self._folder / f"{name.replace(', ', '-').replace(' ', '-')}.log"
        pinned = [shutil.which("taskset") or "taskset", "-c", str(self._server_core), *command]
        with process_of(pinned, environment, folder, log, LIMIT_S) as process:
            deadline = time.monotonic() + START_S
            while not _answers(ready):
                if process.poll() is not None:
                    raise FailedError(f"{name} {how_it_ended(process.returncode, LIMIT_S)}; its log is {log}")
                if time.monotonic() > deadline:
                    raise FailedError(f"{name} was not ready after {START_S:.0f} s; its log is {log}")
                time.sleep(0.2)
            yield process

    def _check(self, targets: Sequence[Target]) -> None:
        """Every server gives the first customers the same probability, to what a minute of tenure may change."""
        answers = []
        for target in targets:
            lines = target.asked.read_text().splitlines()[:20]
            json = {"content-type": "application/json"}
            try:
                with httpx.Client(base_url=target.url, headers=json, timeout=START_S) as client:
                    got = [client.post(target.path, content=x) if target.path else client.get(x) for x in lines]
            except httpx.HTTPError as error:
                raise FailedError(f"{target.name}: {error}") from None
            if bad := [one for one in got if one.status_code != 200]:
                raise FailedError(f"{target.name}: HTTP {bad[0].status_code} {bad[0].text[:200]}")
            answers.append([_probability(one.json()) for one in got])
        for target, probabilities in zip(targets, answers, strict=True):
            if max(abs(a - b) for a, b in zip(probabilities, answers[0], strict=True)) > 1e-3:
                raise FailedError(f"{target.name} does not give the probabilities of {OURS}")

    def _knee(self, target: Target) -> list[Load]:
        """Twice as many connections with each step, until two steps bring nothing."""
        steps = [self._load(target, 1, STEP_S)]
        while steps[-1].connections < MOST_CONNECTIONS:
            steps.append(self._load(target, 2 * steps[-1].connections, STEP_S))
            rates = [step.per_s for step in steps]
            if len(rates) > 2 and max(rates[-2:]) < GROWTH * max(rates[:-2]):
                break
        best = max(steps, key=lambda step: step.per_s)
        self._tell(f"{target.name}: {best.per_s:,.0f} requests/s with {best.connections} connections")
        return steps

    def _load(self, target: Target, connections: int, seconds: int, think_ms: float = 0) -> Load:
        """Have wrk ask; raises `FailedError`."""
        path = [target.path] if target.path else []
        command = ["taskset", "-c", str(self._other_core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s",
                   "-s", str(HERE / "ask.lua"), target.url, "--", str(target.asked), str(think_ms), *path]  # fmt: skip
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
        except subprocess.TimeoutExpired:
            raise FailedError(f"wrk did not end within {seconds + 30} s") from None
        said = ended.stdout.strip().splitlines()[-1:]
        if ended.returncode or not said:
            raise FailedError(
                f"wrk ended with {ended.returncode}: {' '.join((ended.stdout + ended.stderr).split())[-300:]}"
            )
        return msgspec.structs.replace(msgspec.json.decode(said[0], type=Load), connections=connections)

    def _tell(self, sentence: str) -> None:
        self._console.print(sentence, highlight=False)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def main(as_json: bool) -> None:
    """Measure the API under load and beside its peers, on a Redis of this run's own.

    Exit code 1 when a requirement is missed, 2 when something could not be measured.
    """
    measure(_run, show, as_json=as_json)


def _run() -> Report:
    for tool, package in (("wrk", "wrk"), ("taskset", "util-linux")):
        if not shutil.which(tool):
            raise FailedError(f"{tool} is not installed; on Debian: apt-get install {package}")
    return Bench((Settings.load().local / "bench-http").resolve(), Console(stderr=True)).run()


def _probability(answer: Mapping[str, Any]) -> float:
    """In the words of each server: a score's, ours of a tensor, MLServer's of both classes."""
    if "probability" in answer:
        return float(answer["probability"])
    tensor = answer["outputs"][0]
    return float(tensor["data"][-1 if tensor["name"] == "predict_proba" else 0])


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.HTTPError:
        return False


def _cores() -> tuple[int, int]:
    """One for the servers, another for everything else."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise FailedError("two cores are needed, one for the server and one for the load")
    return cores[1], cores[0]


def _memory_mb(pid: int) -> float:
    """Resident memory of a process and its children."""
    tasks = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    status = Path(f"/proc/{pid}/status").read_text()
    own_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return own_kb / 1024 + sum(_memory_mb(int(child)) for child in tasks)


if __name__ == "__main__":
    main()
