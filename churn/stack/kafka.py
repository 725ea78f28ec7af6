"""A real Kafka broker from its jars, with nothing installed."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

from churn.stack.jars import java_with_kafka
from churn.stack.ports import free_port
from churn.stack.process import Process
from churn.stack.ready import kafka_trouble, wait_until_ready

START_TIMEOUT_S = 60.0
_CLUSTER_ID = "5L6g3nShT-eMCtK--X86sw"  # any; brokers of one cluster share it


def broker_properties(port: int, controller_port: int, *, bind: str = "127.0.0.1") -> dict[str, str]:
    """`server.properties` of a broker that is its own controller, reached at 127.0.0.1:`port`, bound to `bind`."""
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{bind}:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": "0",
        # one broker keeps one copy
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # 50 partitions of each would be made while the first consumer and the first transaction wait
        "offsets.topic.num.partitions": "5",
        "transaction.state.log.num.partitions": "5",
        "share.coordinator.state.topic.num.partitions": "5",
    }


class LocalKafka:
    """A broker whose properties, log and data are in `folder`; started again, it has the same port and data.

    `extra` adds to `broker_properties` or replaces them, as it takes to make several brokers one cluster.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        controller_port: int | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self.port = port or free_port()
        self.process = Process("kafka", folder)
        self._folder = folder
        self._properties = {
            **broker_properties(self.port, controller_port or free_port()),
            "log.dir": str(folder / "data"),
            **(extra or {}),
        }

    @property
    def address(self) -> str:
        """Where clients reach it, as host:port."""
        return f"127.0.0.1:{self.port}"

    def start(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Start the broker and wait until it answers; raises `StackError` when that takes over `timeout_s` seconds."""
        self.launch()
        self.wait(timeout_s)

    def launch(self) -> None:
        """Start the broker and do not wait: one of several answers only when most of them run."""
        java, class_path = java_with_kafka()
        self._folder.mkdir(parents=True, exist_ok=True)
        properties = self._folder / "server.properties"
        properties.write_text("".join(f"{name}={_escaped(value)}\n" for name, value in self._properties.items()))
        common = [
            "-XX:TieredStopAtLevel=1",  # a local broker lives too short for the second compiler: 2 s of CPU less
            "-XX:-UsePerfData",  # it would write to /tmp
            f"-Djava.io.tmpdir={self._folder}",
            f"-XX:ErrorFile={self._folder / 'java-crash.log'}",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
            "-cp",
            class_path,
        ]
        command = "exec " + shlex.join([java, "-Xmx512m", *common, "kafka.Kafka", str(properties)])
        if not (self._folder / "data" / "meta.properties").exists():
            quick = ["-Xmx64m", "-XX:+UseSerialGC"]  # a second's work: 0.2 s less
            tool = ["kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(properties)]
            command = shlex.join([java, *quick, *common, *tool]) + " && " + command
        self.process.start(["/bin/sh", "-c", command], {"LANG": "C.UTF-8"})  # else no folder with an é in its name

    def wait(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait until the broker answers; raises `StackError` when that takes over `timeout_s` seconds."""
        wait_until_ready(
            f"Kafka at {self.address}",
            lambda: kafka_trouble(self.address),
            hint=f"its log is {self.process.log}",
            timeout_s=timeout_s,
            alive=self.process.alive,
        )

    def stop(self, timeout_s: float = 10.0) -> None:
        """End the broker and keep its data; see `Process.stop`."""
        self.process.stop(timeout_s)


def _escaped(value: str) -> str:
    """Escape the value as Java reads it: properties files are Latin-1 with the escapes that JSON has."""
    return json.dumps(value)[1:-1]
