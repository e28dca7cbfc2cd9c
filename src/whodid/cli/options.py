"""The options that verbs share: where the events are, and how answers are written."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from cyclopts import App, Group, Parameter

from whodid.cli.examples import laid_out
from whodid.config import Config
from whodid.errors import WhodidError

Format = Literal["table", "json", "ndjson", "csv", "parquet", "arrow"]
BINARY_FORMATS = ("parquet", "arrow")
FORMATS_BY_ENDING: Final[dict[str, Format]] = {
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".csv": "csv",
    ".parquet": "parquet",
    ".arrow": "arrow",
}


def verb(name: str, examples: str, **more: Any) -> App:
    """The app of a verb: its examples follow its help; flags have no `--no-` twins."""
    return App(
        name=name,
        help_epilogue=laid_out(examples),
        help_format="plaintext",
        default_parameter=Parameter(negative=(), show_default=_told),
        **more,
    )


def _told(default: Any) -> str | None:
    """A default as help tells it: none, a flag that is off and an empty list go without saying."""
    return None if default is None or default is False or default == () else str(default)


_PLACE = Group("Where", sort_key=90)
_OUTPUT = Group("Output", sort_key=80)


@Parameter(name="*", group=_PLACE)
@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the events are: a data folder (asked through its server while one owns it), or a server."""

    data: Annotated[Path | None, Parameter(env_var="WHODID_DATA", help="Data folder [default: ./whodid-data].")] = None
    store: Annotated[
        str | None,
        Parameter(env_var="WHODID_STORE", help="duckdb, postgresql://user@host/db, or clickhouse://user@host/db."),
    ] = field(default=None, repr=False)
    server: Annotated[
        str | None,
        Parameter(env_var="WHODID_SERVER", help="Ask this server (URL) instead of opening the data folder."),
    ] = None
    key: Annotated[str | None, Parameter(env_var="WHODID_KEY", help="Key for --server.")] = field(
        default=None, repr=False
    )

    def config(self, **more: object) -> Config:
        """The configuration that these options and the environment give."""
        given = {"data": self.data, "store": self.store, "server": self.server, "key": self.key}
        return Config(**given, **more)


@Parameter(name="*", group=_PLACE)
@dataclass(frozen=True, kw_only=True)
class PlaceBesideKey(Place):
    """A place for a verb whose `--key` is something else."""

    key: Annotated[str | None, Parameter(name="--server-key", env_var="WHODID_KEY", help="Key for --server.")] = field(
        default=None, repr=False
    )


def _check_ending(_: object, given: Output) -> None:
    """Before anything is done: an answer that has nowhere to go may hold a secret that is told once."""
    ending = given.to.suffix.lower() if given.to is not None else ""
    if given.output is None and ending and ending not in FORMATS_BY_ENDING:
        raise WhodidError(
            "invalid",
            f"No format is known by the ending {ending}.",
            f"Name the file with one of {', '.join(FORMATS_BY_ENDING)}, or add: --output FORMAT",
        )


@Parameter(name="*", group=_OUTPUT, validator=_check_ending)
@dataclass(frozen=True, kw_only=True)
class Output:
    """How answers are written: a table on a terminal, else NDJSON, unless said otherwise."""

    output: Annotated[
        Format | None,
        Parameter(alias="-o", help="Format [default: table on a terminal, else ndjson; with --to by its name]."),
    ] = None
    to: Annotated[Path | None, Parameter(help="Write to this file instead of standard output.")] = None

    def format(self) -> Format:
        """The format to write.

        Raises
        ------
        WhodidError("invalid")
            A binary format would go to a terminal.
        """
        chosen = self.asked() or ("table" if sys.stdout.isatty() else "ndjson")
        if chosen in BINARY_FORMATS and self.to is None and sys.stdout.isatty():
            raise WhodidError("invalid", f"{chosen} is binary and would go to the terminal.", "Add: --to FILE")
        return chosen

    def asked(self) -> Format | None:
        """The format that was asked for, by its name or by that of the file."""
        return self.output or (FORMATS_BY_ENDING.get(self.to.suffix.lower()) if self.to is not None else None)


@Parameter(name="*", group=_OUTPUT)
@dataclass(frozen=True, kw_only=True)
class OutputBesideTo(Output):
    """Output of a verb whose `--to` is something else: it goes to standard output."""

    output: Annotated[
        Format | None, Parameter(alias="-o", help="Format [default: table on a terminal, else ndjson].")
    ] = None
    to: Annotated[Path | None, Parameter(parse=False)] = None


ANYWHERE = Place()
ANYWHERE_BESIDE_KEY = PlaceBesideKey()
AS_SUITS = Output()
AS_TABLE = Output(output="table")
AS_SUITS_BESIDE_TO = OutputBesideTo()


def pairs(given: list[str] | None) -> dict[str, str]:
    """`name=value` texts as a dict.

    Raises
    ------
    WhodidError("invalid")
        One has no `=`; only its name is told, because the rest may be a secret.
    """
    found = {}
    for text in given or []:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise WhodidError("invalid", "An --option is not written as name=value.", "Write --option region=eu-west-1")
        found[name] = value
    return found
