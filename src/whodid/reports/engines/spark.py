"""Apache Spark: a session of its own on a cluster, or on a Spark Connect server."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from whodid.errors import WhodidError
from whodid.reports.engines.result import plain
from whodid.reports.engines.translate import Stage, in_stages
from whodid.stores.base import Result

if TYPE_CHECKING:
    import pyarrow as pa

try:
    from py4j.protocol import Py4JError
except ImportError:
    # A client of Spark Connect alone has no Java beside it.
    Py4JError = PySparkException

_SETTINGS: Final = {
    "spark.sql.session.timeZone": "UTC",
    # What is no number is NULL.
    "spark.sql.ansi.enabled": "false",
    # Else `${…}` within a text would be replaced by a setting.
    "spark.sql.variable.substitute": "false",
}
# What Spark warns of on the way is not for whoever asks a report; with a setting of its own it says more.
_QUIET: Final = {"spark.log.level": "ERROR"}

# Where masters and Connect servers listen when it is not said.
_PORTS: Final = {"spark": 7077, "sc": 15002}
CONNECT_S: Final = 5.0


class SparkEngine:
    """Answers statements of the kind `lake`; see `stores.base.Store.query`.

    session  what it asks with; its settings are changed.
    table    the lake's table, as Spark names it.
    """

    kind = "lake"

    def __init__(self, session: SparkSession, table: str):
        self.session = session
        self.table = table
        for name, value in _SETTINGS.items():
            session.conf.set(name, value)

    @classmethod
    def open(cls, url: str, table: str, settings: Mapping[str, str]) -> SparkEngine:
        """Connect.

        url  `sc://host:15002` of a Spark Connect server, or a master: `spark://host:7077`, `yarn`, `local[*]`.
        """
        _knock(url)
        try:
            builder = SparkSession.builder.appName("whodid")
            is_remote = url.startswith("sc://")
            builder = builder.remote(url) if is_remote else builder.master(url)
            for name, value in {**({} if is_remote else _QUIET), **settings}.items():
                builder = builder.config(name, value)
            return cls(builder.getOrCreate(), table)
        except (PySparkException, Py4JError, RuntimeError, OSError) as error:
            raise _away(url, _told(error)) from error

    def query(
        self,
        sql: str,
        params: Sequence[Any] | dict[str, Any] | None = None,
        *,
        limit: int = 10_000,
        timeout_ms: int = 3_600_000,
        trusted: bool = False,
    ) -> Result:
        named = params if isinstance(params, dict) else {}
        asking = uuid.uuid4()
        stages, text = in_stages(sql, named, "spark", self.table, f"whodid_{asking.hex}")
        tag = f"whodid-{asking}"
        late, done = threading.Event(), threading.Event()

        def stop() -> None:
            # More than once: it may come between two jobs.
            late.set()
            while not done.is_set():
                self.session.interruptTag(tag)
                done.wait(1)

        timer = threading.Timer(timeout_ms / 1000, stop)
        self.session.addTag(tag)
        timer.start()
        try:
            for stage in stages:
                self._make(stage)
                if late.is_set():
                    raise _stopped(timeout_ms)
            found: pa.Table = self.session.sql(text).limit(limit + 1).toArrow()
        except PySparkException as error:
            if late.is_set():
                raise _stopped(timeout_ms) from None
            raise WhodidError("invalid", f"Spark refuses: {_told(error)}") from error
        finally:
            done.set()
            timer.cancel()
            self.session.removeTag(tag)
            # Where the session is lost they are gone with it, and what was raised before says so.
            with suppress(PySparkException):
                for stage in stages:
                    self.session.catalog.dropTempView(stage.name)
        return Result(plain(found.slice(0, limit)), found.num_rows > limit)

    def _make(self, stage: Stage) -> None:
        """A view for the time of a statement. What is worked out once stays with the executors, without the plan that
        made it: the plan of what reads it many times would outgrow the driver's memory."""
        rows = self.session.sql(stage.sql)
        (rows.localCheckpoint() if stage.once else rows).createOrReplaceTempView(stage.name)

    def close(self) -> None:
        self.session.stop()


def _knock(url: str) -> None:
    """Spark itself tries for a minute, and covers the terminal with Java's traces meanwhile: knock before. Raises
    WhodidError("unavailable") when nobody listens there."""
    scheme, _, rest = url.partition("://")
    if scheme not in _PORTS:
        return
    reasons = []
    for host in rest.partition("/")[0].split(","):
        try:
            place = urlsplit(f"//{host}")
            address = (place.hostname or "localhost", place.port or _PORTS[scheme])
            socket.create_connection(address, CONNECT_S).close()
            return
        except TimeoutError:
            reasons.append("no answer")
        except (OSError, ValueError) as error:
            reasons.append(getattr(error, "strerror", None) or str(error))
    raise _away(url, f"{', '.join(dict.fromkeys(reasons))}.")


def _away(url: str, why: str) -> WhodidError:
    # Behind the semicolon of a Connect server's address stands its token.
    where = url.partition(";")[0]
    return WhodidError(
        "unavailable", f"Spark at {where} cannot be reached: {why}", "Look at the master's log and at the address."
    )


def _stopped(timeout_ms: int) -> WhodidError:
    return WhodidError("timeout", f"Spark was stopped after {timeout_ms:,} ms.", "Choose less time.")


def _told(error: Exception) -> str:
    return " ".join(str(error).split())[:500]
