"""Every kind of target with another side of its own, for the contract suite. A new kind adds a function to `CASES`."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from whodid.config import Config
from whodid.serve import Server


@dataclass(kw_only=True)
class Case:
    """A kind and its other side.

    kind         as in `plugins.TARGETS`.
    options      that work.
    received     ids of the events that the other side has, in the order it has them; repeats included.
    unreachable  options with which nothing answers: a temporary error. None where there is no such thing.
    forbidden    options with which it is refused: a permanent error. None where there is no such thing.
    """

    kind: str
    options: Mapping[str, Any]
    received: Callable[[], list[str]]
    unreachable: Mapping[str, Any] | None = None
    forbidden: Mapping[str, Any] | None = None
    format: str = "native"
    ordered: bool = True
    exactly_once: bool | None = None
    """What the options make of the kind's promise; None: as the kind says."""
    more: dict[str, Any] = field(default_factory=dict)


CaseMaker = Callable[..., AbstractContextManager[Case]]


@contextmanager
def another_whodid(folder: Path) -> Iterator[Case]:
    server = Server(Config(data=str(folder / "other"), port=0, segment_age_ms_max=20))
    server.start()
    try:
        _, key = server.engine.directory.create_key("forwarder", ["write"])
        _, wrong = server.engine.directory.create_key("reader", ["read"])

        def received() -> list[str]:
            server.engine.flush()
            sql = "SELECT CAST(id AS VARCHAR) AS id FROM events WHERE source = 'client' ORDER BY seq"
            found: list[str] = server.engine.store.query(sql, trusted=True, limit=100_000).table["id"].to_pylist()
            return found

        yield Case(
            kind="whodid",
            options={"url": server.url, "key": key},
            received=received,
            unreachable={"url": "http://127.0.0.1:1", "key": key},
            forbidden={"url": server.url, "key": wrong},
            more={"server": server, "key": key},
        )
    finally:
        server.close()


@contextmanager
def any_endpoint(folder: Path) -> Iterator[Case]:
    from support.endpoint import Endpoint

    with Endpoint(key="right") as endpoint:
        yield Case(
            kind="http",
            options={"url": endpoint.url, "key": "right"},
            received=endpoint.ids,
            unreachable={"url": "http://127.0.0.1:1"},
            forbidden={"url": endpoint.url, "key": "wrong"},
            more={"endpoint": endpoint},
        )


@contextmanager
def files(folder: Path) -> Iterator[Case]:
    from support.laid_out import content, data_files

    out = folder / "out"
    yield Case(
        kind="files",
        options={"path": str(out), "folders": "/all"},
        received=lambda: [row["id"] for path in data_files(out) for row in content(path)] if out.exists() else [],
        forbidden={"path": "/proc/version/out"},
        ordered=False,
    )


@contextmanager
def log_files(folder: Path) -> Iterator[Case]:
    from support.laid_out import content

    path = folder / "out" / "audit.log"
    yield Case(
        kind="log-files",
        options={"path": str(path)},
        received=lambda: [row["id"] for file in sorted(path.parent.glob("audit.log*")) for row in content(file)],
        forbidden={"path": "/proc/version/audit.log"},
    )


@contextmanager
def s3(folder: Path) -> Iterator[Case]:
    from support.laid_out import unpacked
    from support.s3 import s3_server

    with s3_server() as server:
        bucket = server.bucket("audit")

        def received() -> list[str]:
            found = (one for one in bucket.objects.all() if not one.key.startswith("_"))
            return [row["id"] for one in found for row in unpacked(one.key, one.get()["Body"].read())]

        yield Case(
            kind="s3",
            options={**server.options("audit"), "folders": "/all"},
            received=received,
            unreachable={**server.options("audit"), "endpoint": "http://127.0.0.1:1"},
            forbidden={**server.options("audit"), "secret_access_key": "wrong-secret"},
            ordered=False,
        )


@contextmanager
def azure(folder: Path, server: Any) -> Iterator[Case]:
    from support.azurite import blobs_of
    from support.laid_out import unpacked

    name = f"audit-{uuid.uuid4().hex[:12]}"
    container = server.container(name)

    def received() -> list[str]:
        blobs = ((path, data) for path, data in blobs_of(container).items() if not path.startswith("_"))
        return [row["id"] for path, data in blobs for row in unpacked(path, data)]

    yield Case(
        kind="azure",
        options={**server.options(name), "folders": "/all"},
        received=received,
        unreachable={**server.options(name), "endpoint": "http://127.0.0.1:1"},
        forbidden={**server.options(name), "account_key": "d3Jvbmc="},
        ordered=False,
    )


@contextmanager
def cloudwatch_logs(folder: Path) -> Iterator[Case]:
    from support.cloudwatch import cloudwatch

    with cloudwatch() as service:
        yield Case(
            kind="cloudwatch",
            options=service.options(),
            received=lambda: [json.loads(message)["id"] for message in service.messages()],
            unreachable=service.options(endpoint="http://127.0.0.1:1"),
            forbidden=service.options(secret_access_key="wrong-secret"),
            ordered=False,
        )


@contextmanager
def otlp_door(folder: Path, encoding: str) -> Iterator[Case]:
    """Another whodid as an OTLP receiver."""
    with another_whodid(folder) as other:
        server = other.more["server"]

        def received() -> list[str]:
            server.engine.flush()
            sql = "SELECT CAST(id AS VARCHAR) AS id FROM events WHERE format = 'otlp' ORDER BY seq"
            found: list[str] = server.engine.store.query(sql, trusted=True, limit=100_000).table["id"].to_pylist()
            return found

        yield Case(
            kind="otlp",
            options={**other.options, "encoding": encoding},
            received=received,
            unreachable=other.unreachable,
            forbidden=other.forbidden,
            more=other.more,
        )


@contextmanager
def syslog(folder: Path) -> Iterator[Case]:
    """A strict receiver with TLS."""
    from support.certificates import write_certificates
    from support.syslog_server import SyslogServer

    stranger = folder / "stranger"
    stranger.mkdir()
    write_certificates(stranger)
    with SyslogServer(folder / "tls") as server:
        options = {"host": "localhost", "port": server.port, "ca_file": str(server.ca_file)}
        yield Case(
            kind="syslog",
            options=options,
            received=lambda: [json.loads(message.text)["id"] for message in server.settled()],
            unreachable={**options, "port": 1},
            forbidden={**options, "ca_file": str(stranger / "ca.pem")},
            more={"server": server},
        )
        assert server.errors == []


def mock_kafka(folder: Path) -> AbstractContextManager[Case]:
    from support.kafka_cases import mock_kafka

    return mock_kafka(folder)


def real_kafka(folder: Path, cluster: Any) -> AbstractContextManager[Case]:
    from support.kafka_cases import real_kafka

    return real_kafka(folder, cluster)


@contextmanager
def postgresql(folder: Path, server: Any) -> Iterator[Case]:
    import psycopg

    url = server.create_database()

    def received() -> list[str]:
        with psycopg.connect(url) as connection:
            there = connection.execute("SELECT to_regclass('whodid.events')").fetchone()
            if there is None or there[0] is None:
                return []
            return [str(row[0]) for row in connection.execute("SELECT id FROM whodid.events ORDER BY seq")]

    yield Case(
        kind="postgresql",
        options={"url": url},
        received=received,
        unreachable={"url": "postgresql://postgres@127.0.0.1:1/audit"},
        forbidden={"url": url.replace("postgres@", "nobody:hunter2@")},
    )


@contextmanager
def iceberg(folder: Path, server: Any) -> Iterator[Case]:
    from support.lake import lake_options, rows

    options = lake_options(server.create_database(), folder / "warehouse")
    yield Case(
        kind="iceberg",
        options=options,
        received=lambda: [row["id"] for row in rows(options)],
        unreachable={**options, "uri": "postgresql://postgres@127.0.0.1:1/lake"},
        forbidden={**options, "uri": options["uri"].replace("postgres@", "nobody:hunter2@")},
        ordered=False,
    )


CASES: dict[str, CaseMaker] = {
    "whodid": another_whodid,
    "http": any_endpoint,
    "files": files,
    "log-files": log_files,
    "cloudwatch": cloudwatch_logs,
    "s3": s3,
    "azure": azure,
    "syslog": syslog,
    "otlp": partial(otlp_door, encoding="protobuf"),
    "otlp (json)": partial(otlp_door, encoding="json"),
    "kafka (mock)": mock_kafka,
    "kafka": real_kafka,
    "postgresql": postgresql,
    "iceberg": iceberg,
}
NEEDED: dict[str, str] = {
    "kafka": "kafka",
    "postgresql": "postgresql_server",
    "iceberg": "postgresql_server",
    "azure": "azure",
}
"""Fixtures that some of them are given besides their folder."""
