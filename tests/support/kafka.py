"""Kafka for tests: real brokers (KRaft, Apache's programs out of Maven Central), any number, killed and restarted."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from support.certificates import write_certificates

VERSION: Final = "4.1.1"
START_S_MAX: Final = 90.0
CLUSTER_ID: Final = "d2hvZGlkLXRlc3RzLTEyMw"
USERS: Final = {"ada": "right-secret", "mallory": "mallorys-secret"}
"""Who may sign in at the listener with TLS. `mallory` may write nowhere."""

SILENT: Final = logging.getLogger("silent")
SILENT.addHandler(logging.NullHandler())
SILENT.propagate = False
"""For clients: their words on every lost connection are not for the tests' output."""

_POM: Final = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>tests</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{version}</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
</dependencies></project>
"""
_JAVA: Final = ("java", "-Xms64m", "-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")


class KafkaMissing(Exception):
    """Brokers cannot be had here; the text says why."""


class KafkaCluster:
    """Brokers 0 … n-1 on loopback; broker 0 is the controller as well, so that the others may die without an election.

    folder      for their data and logs.
    brokers     how many. Topics have min(3, brokers) replicas unless they are made otherwise.
    properties  more properties of every broker (`auto.create.topics.enable`, `message.max.bytes`, …).
    cluster_id  the cluster's id, by which clients tell it from others.

    `bootstrap` takes everybody in clear; `secure_bootstrap` asks for TLS and one of `USERS` (SASL PLAIN), and `ca_file`
    holds what its certificate is signed with.
    """

    def __init__(
        self,
        folder: Path,
        brokers: int = 1,
        properties: Mapping[str, Any] | None = None,
        cluster_id: str = CLUSTER_ID,
    ):
        self.folder = folder
        self.cluster_id = cluster_id
        self.count = brokers
        self.ca_file = folder / "ca.pem"
        self._properties = dict(properties or {})
        self._ports = [_free_ports(3) for _ in range(brokers)]
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._classes = ""

    @property
    def bootstrap(self) -> str:
        return ",".join(f"127.0.0.1:{ports[0]}" for ports in self._ports)

    @property
    def secure_bootstrap(self) -> str:
        return ",".join(f"localhost:{ports[1]}" for ports in self._ports)

    def start(self) -> KafkaCluster:
        """Start all brokers; returns when each answers. Raises KafkaMissing."""
        self._classes = f"{jars()}/*"
        self.folder.mkdir(parents=True, exist_ok=True)
        write_certificates(self.folder)
        formats = [self._format(broker) for broker in range(self.count)]
        for broker, one in enumerate(formats):
            if one.wait(START_S_MAX) != 0:
                raise KafkaMissing(f"Kafka's folder cannot be made: {self.log(broker)}")
        for broker in range(self.count):
            self._spawn(broker)
        self.wait_ready()
        return self

    def stop(self) -> None:
        """End all of them at once."""
        for broker in list(self._processes):
            self.kill(broker)

    def kill(self, broker: int = 0) -> None:
        """kill -9: what is in the page cache stays, as when a process dies."""
        process = self._processes.pop(broker)
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait(30)

    def restart(self, broker: int = 0) -> None:
        """Start a broker that was killed, on its old ports and data; returns when all answer."""
        self._spawn(broker)
        self.wait_ready()

    def freeze(self, broker: int = 0) -> None:
        """It keeps its connections and never answers, until `thaw`."""
        self._processes[broker].send_signal(signal.SIGSTOP)

    def thaw(self, broker: int = 0) -> None:
        self._processes[broker].send_signal(signal.SIGCONT)

    def log(self, broker: int = 0) -> str:
        """The end of what a broker wrote."""
        return (self.folder / f"{broker}.log").read_text(errors="replace")[-2_000:]

    def admin(self) -> Any:
        """confluent-kafka's AdminClient."""
        return _admin(self.bootstrap)

    def create_topic(self, name: str, partitions: int = 1, **config: str) -> str:
        """Make a topic; returns its name once every broker knows it. Options as `max_message_bytes="1000"`."""
        from confluent_kafka.admin import NewTopic

        replicas = min(3, self.count)
        settings = {key.replace("_", "."): value for key, value in config.items()}
        admin = self.admin()
        admin.create_topics([NewTopic(name, partitions, replicas, config=settings)])[name].result(30)
        return name

    def wait_ready(self) -> None:
        """Return when every broker that runs answers as a member of the cluster."""
        deadline = time.monotonic() + START_S_MAX
        for broker, process in self._processes.items():
            while not self._answers(broker):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise KafkaMissing(f"Broker {broker} did not start: {self.log(broker)}")

    def _answers(self, broker: int) -> bool:
        with contextlib.suppress(Exception):
            found = _admin(f"127.0.0.1:{self._ports[broker][0]}").list_topics(timeout=1)
            return broker in found.brokers and len(found.brokers) >= len(self._processes)
        return False

    def _format(self, broker: int) -> subprocess.Popen[bytes]:
        file = self.folder / f"{broker}.properties"
        file.write_text("".join(f"{name}={value}\n" for name, value in self._settings(broker).items()))
        return self._run(
            broker, "kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", self.cluster_id, "-c", file
        )

    def _spawn(self, broker: int) -> None:
        self._processes[broker] = self._run(broker, "kafka.Kafka", self.folder / f"{broker}.properties")

    def _run(self, broker: int, *command: object) -> subprocess.Popen[bytes]:
        # Whatever becomes of the tests, no broker outlives them.
        drop = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
        level = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        with (self.folder / f"{broker}.log").open("ab") as log:
            return subprocess.Popen(
                [*drop, *_JAVA, level, "-cp", self._classes, *map(str, command)], stdout=log, stderr=log
            )

    def _settings(self, broker: int) -> dict[str, Any]:
        plain, secure, controller = self._ports[broker]
        listeners = f"PLAIN://127.0.0.1:{plain},SECURE://127.0.0.1:{secure}"
        replicas = min(3, self.count)
        users = " ".join(f'user_{name}="{secret}"' for name, secret in USERS.items())
        login = f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};"
        return {
            "process.roles": "broker" if broker else "broker,controller",
            "node.id": broker,
            "controller.quorum.voters": f"0@127.0.0.1:{self._ports[0][2]}",
            "listeners": listeners if broker else f"{listeners},CONTROL://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAIN://127.0.0.1:{plain},SECURE://localhost:{secure}",
            "listener.security.protocol.map": "PLAIN:PLAINTEXT,SECURE:SASL_SSL,CONTROL:PLAINTEXT",
            "controller.listener.names": "CONTROL",
            "inter.broker.listener.name": "PLAIN",
            "listener.name.secure.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
            "listener.name.secure.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
            "listener.name.secure.plain.sasl.jaas.config": login,
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": self.folder / "server.pem",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": "User:ANONYMOUS;User:ada",
            "log.dirs": self.folder / f"data-{broker}",
            "offsets.topic.replication.factor": replicas,
            "offsets.topic.num.partitions": 3,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": max(1, replicas - 1),
            "transaction.state.log.num.partitions": 3,
            "default.replication.factor": replicas,
            "min.insync.replicas": max(1, replicas - 1),
            # A broker that was killed comes back only when its old session has ended.
            "broker.session.timeout.ms": 2_000,
            "broker.heartbeat.interval.ms": 300,
            "group.initial.rebalance.delay.ms": 0,
            "auto.create.topics.enable": "false",
            "log.cleaner.dedupe.buffer.size": 4_000_000,
            "num.network.threads": 2,
            "num.io.threads": 2,
            **self._properties,
        }


@contextmanager
def kafka_cluster(
    folder: Path, brokers: int = 1, properties: Mapping[str, Any] | None = None, cluster_id: str = CLUSTER_ID
) -> Iterator[KafkaCluster]:
    """Brokers that run for the length of a block. Raises KafkaMissing."""
    cluster = KafkaCluster(folder, brokers, properties, cluster_id)
    try:
        yield cluster.start()
    finally:
        cluster.stop()


def read_topic(bootstrap: str, topic: str, *, committed_only: bool = True) -> list[Any]:
    """Every message of a topic, partition by partition, as a consumer gets them that starts at the beginning."""
    from confluent_kafka import Consumer, KafkaError, TopicPartition

    settings: dict[str, Any] = {
        "bootstrap.servers": bootstrap,
        "group.id": "tests",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "isolation.level": "read_committed" if committed_only else "read_uncommitted",
        "logger": SILENT,
    }
    consumer = Consumer(settings)
    try:
        found = consumer.list_topics(topic, timeout=10).topics[topic]
        open_ends = set(found.partitions)
        consumer.assign([TopicPartition(topic, number, 0) for number in open_ends])
        messages = []
        deadline = time.monotonic() + 30
        while open_ends:
            assert time.monotonic() < deadline, f"{topic} has no end"
            message = consumer.poll(0.2)
            if message is None:
                continue
            error = message.error()
            if error is None:
                messages.append(message)
            else:
                assert error.code() == KafkaError._PARTITION_EOF, error
                open_ends.discard(message.partition())
        return sorted(messages, key=lambda one: (one.partition(), one.offset()))
    finally:
        consumer.close()


def _admin(bootstrap: str) -> Any:
    from confluent_kafka.admin import AdminClient

    settings: dict[str, Any] = {"bootstrap.servers": bootstrap, "logger": SILENT}
    return AdminClient(settings)


def jars() -> Path:
    """The folder with Kafka's programs, fetched by Maven at first need. Raises KafkaMissing."""
    _need("java")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "whodid-tests"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"kafka-{VERSION}"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _need("mvn")
            _fetch(cache / f"kafka-{VERSION}.part", folder)
    return folder


def _need(program: str) -> None:
    if shutil.which(program) is None:
        raise KafkaMissing(f"Kafka's broker needs {program}, which is not installed (Java 17 or newer, Maven).")


def _fetch(part: Path, folder: Path) -> None:
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    (part / "pom.xml").write_text(_POM.format(version=VERSION))
    command = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars", "-DincludeScope=runtime"]
    try:
        done = subprocess.run(command, cwd=part, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        raise KafkaMissing("Maven did not fetch Kafka within 5 minutes.") from None
    if done.returncode != 0:
        raise KafkaMissing(f"Maven cannot fetch Kafka: {(done.stdout + done.stderr).strip()[-500:]}")
    (part / "jars").rename(folder)
    shutil.rmtree(part, ignore_errors=True)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
