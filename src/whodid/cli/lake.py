"""`whodid report --engine`: reports on the lake, asked of Spark or Trino."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from whodid.cli.options import Place
from whodid.errors import WhodidError

if TYPE_CHECKING:
    from whodid.directory import Directory
    from whodid.reports import Reported

_LAKE = Group("The lake", sort_key=85)


@Parameter(name="*", group=_LAKE)
@dataclass(frozen=True, kw_only=True)
class Lake:
    """Which engine is asked, instead of the store."""

    engine: Annotated[
        Literal["spark", "trino"] | None, Parameter(help="Ask the Iceberg table that the target iceberg fills.")
    ] = None
    engine_url: Annotated[
        str | None,
        Parameter(
            env_var="WHODID_ENGINE_URL",
            help="Spark: spark://host:7077, yarn, local[*] or sc://host:15002. Trino: https://user:password@host:8443.",
        ),
    ] = None
    lake_table: Annotated[
        str, Parameter(env_var="WHODID_LAKE_TABLE", help="The table, as the engine names it: catalog.namespace.table.")
    ] = "lake.whodid.events"
    engine_option: Annotated[
        tuple[str, ...], Parameter(help="NAME=VALUE of Spark's configuration, or of Trino's session.")
    ] = ()
    print_sql: Annotated[
        bool, Parameter(help="Print the engine's statement instead of asking it (Athena speaks Trino's).")
    ] = False


NO_LAKE = Lake()


def refuse_without_engine(lake: Lake) -> None:
    """What says where or how an engine is asked is for nothing when none is. What the environment says is for others.

    Raises
    ------
    WhodidError("invalid")
        An option of the lake is given, and no engine.
    """
    given = {
        "--engine-url": lake.engine_url not in (None, os.environ.get("WHODID_ENGINE_URL")),
        "--lake-table": lake.lake_table not in (NO_LAKE.lake_table, os.environ.get("WHODID_LAKE_TABLE")),
        "--engine-option": bool(lake.engine_option),
    }
    idle = [name for name, is_given in given.items() if is_given]
    if lake.engine is None and idle:
        raise WhodidError(
            "invalid",
            f"{' and '.join(idle)} {'is' if len(idle) == 1 else 'are'} for an engine, and none is named.",
            "Add: --engine spark, or --engine trino",
        )


def statement_of(lake: Lake, name: str, place: Place, parameters: dict[str, Any]) -> str:
    """What the engine would be asked."""
    from whodid.reports import engines

    with _directory(place) as directory:
        return engines.statement(name, _engine(lake), lake.lake_table, directory=directory, **parameters)


def answer_of(lake: Lake, name: str, place: Place, parameters: dict[str, Any]) -> Reported:
    """What the engine answers.

    Raises
    ------
    WhodidError("invalid")
        It is not said where the engine is, or both the lake and a server are to be asked.
    """
    from whodid.reports import engines

    kind = _engine(lake)
    if not lake.engine_url:
        raise WhodidError("invalid", f"Where is {kind}?", "Add: --engine-url URL, or set WHODID_ENGINE_URL.")
    settings = dict(map(_pair, lake.engine_option))
    with (
        _directory(place) as directory,
        contextlib.closing(engines.open_engine(kind, lake.engine_url, lake.lake_table, settings)) as engine,
    ):
        return engines.run(engine, name, directory=directory, **parameters)


def _engine(lake: Lake) -> str:
    if lake.engine is None:
        raise WhodidError("invalid", "No engine is named.", "Add: --engine spark, or --engine trino")
    return lake.engine


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise WhodidError("invalid", f"{text!r} is no NAME=VALUE.", "--engine-option spark.executor.memory=4g")
    return name, value


@contextlib.contextmanager
def _directory(place: Place) -> Iterator[Directory | None]:
    """Who is in which group, as the data folder knows."""
    from whodid.directory import Directory
    from whodid.engine import data_folder, directory_url

    config = place.config()
    if config.server:
        raise WhodidError("invalid", "--server asks a server, --engine the lake.", "Leave one of them out.")
    try:
        data_folder(config.data_path)
    except WhodidError:
        print("No data folder: nothing is known of groups.", file=sys.stderr)
        yield None
        return
    with contextlib.closing(Directory.open(directory_url(config))) as directory:
        yield directory
