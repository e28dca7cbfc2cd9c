"""Reports on the lake: the same `.sql` files, asked of an engine that reads the Iceberg table where it lies.

An engine answers like a store of the kind `lake` (`Engine`), and `reports.run` takes it in a store's place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, cast

from whodid.plugins import Plugin, load
from whodid.reading.selection import Groups
from whodid.reports.run import Reported, prepare
from whodid.reports.run import run as run_on
from whodid.stores.base import Result, Store

TIMEOUT_MS: Final = 3_600_000

ENGINES: Final[dict[str, Plugin]] = {
    "spark": Plugin("whodid.reports.engines.spark:SparkEngine", extra="spark"),
    "trino": Plugin("whodid.reports.engines.trino:TrinoEngine", extra="trino"),
}


class Engine(Protocol):
    """What answers reports on the lake; see `stores.base.Store` for `query`, whose errors it has."""

    kind: str

    def query(
        self,
        sql: str,
        params: Sequence[Any] | dict[str, Any] | None = None,
        *,
        limit: int = 10_000,
        timeout_ms: int = TIMEOUT_MS,
        trusted: bool = False,
    ) -> Result: ...

    def close(self) -> None: ...


class _Nothing:
    """Asks nobody: for statements that are only written down."""

    kind = "lake"

    def query(self, sql: str, params: Any = None, **_: Any) -> Result:
        import pyarrow as pa

        return Result(pa.table({}), truncated=True)

    def close(self) -> None:
        return None


def open_engine(kind: str, url: str, table: str, settings: Mapping[str, str]) -> Engine:
    """An engine of `ENGINES`, connected.

    Parameters
    ----------
    url
        Spark: a master (`spark://host:7077`, `yarn`, `local[*]`) or a Connect server (`sc://host:15002`). Trino: its
        address, `https://user:password@host:8443`.
    table
        The lake's table, as the engine names it: `lake.whodid.events`.
    settings
        Spark's configuration, or session properties of Trino.

    Raises
    ------
    WhodidError("invalid")
        There is no such engine, or its package is not installed.
    WhodidError("unavailable")
        It cannot be reached.
    """
    made: Engine = load(ENGINES, kind).open(url, table, settings)
    return made


def run(
    engine: Engine, name: str, *, directory: Groups | None = None, timeout_ms: int = TIMEOUT_MS, **parameters: Any
) -> Reported:
    """A report on the lake; parameters and errors as of `reports.run`.

    Raises
    ------
    WhodidError("unsupported")
        It reads what is not in the lake: what was rejected.
    """
    return run_on(cast("Store", engine), name, directory=directory, timeout_ms=timeout_ms, **parameters)


def statement(name: str, engine: str, table: str, *, directory: Groups | None = None, **parameters: Any) -> str:
    """A report's statement as an engine of `ENGINES` understands it, with its values; errors as of `reports.run`."""
    from whodid.reports.engines.translate import translated

    asked = prepare(cast("Store", _Nothing()), name, directory=directory, **parameters)
    return translated(asked.sql, asked.params, engine, table)
