"""Connections that come with the product: the audit as files of a connection, with a target that writes them and a
dataset that reads them.

`customer-audit-log` appears by itself with the first API node; `dku-audit-log` is switched on. Both are for
administrators only until others are let in, and both can be switched off again: their files stay.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from whodid.datasets.connections import Connection
from whodid.datasets.dataset import Dataset, Datasets
from whodid.directory import Directory
from whodid.directory.settings import Told
from whodid.dispatch.management import NewTarget
from whodid.dispatch.row import Selection
from whodid.dispatch.targets import Targets
from whodid.errors import WhodidError
from whodid.event import BY_ITSELF, Entity

_SETTING: Final = "extension/"
_FORMAT: Final = "dss-event-server"

_log = logging.getLogger("whodid.extensions")


class Extension(NamedTuple):
    """What an extension writes, and into which folders."""

    name: str
    title: str
    topics: tuple[str, ...]
    folders: str

    @property
    def partitioning(self) -> str:
        return self.folders + "/.*"


EXTENSIONS: Final[dict[str, Extension]] = {
    one.name: one
    for one in (
        Extension("customer-audit-log", "Queries of API nodes, by day", ("apinode-query",), "/%Y/%M/%D"),
        Extension(
            "dku-audit-log",
            "Audit of the instances, by node type and day",
            ("generic", "generic-failure", "authfail", "compute-resource-usage", "apicalls"),
            "/%{node_type}/%Y/%M/%D",
        ),
    )
}
OF_API_NODES: Final = "customer-audit-log"


class Extensions:
    """Switches extensions on and off. Methods block.

    folder      holds their files, each in one of its own, unless they go below a connection.
    connection  name of the connection below whose place they go by default; empty: the folder.
    """

    def __init__(self, directory: Directory, datasets: Datasets, targets: Targets, *, folder: Path, connection: str):
        self._directory = directory
        self._datasets = datasets
        self._targets = targets
        self._folder = folder
        self._connection = connection

    def shown(self) -> list[dict[str, Any]]:
        """All extensions and whether each is on."""
        return [self.shown_one(name) for name in EXTENSIONS]

    def shown_one(self, name: str) -> dict[str, Any]:
        """One extension. Raises WhodidError("not_found")."""
        one = _extension(name)
        kept: Mapping[str, Any] = self._directory.setting(_SETTING + name) or {}
        return {
            "name": one.name,
            "title": one.title,
            "on": bool(kept.get("on")),
            "by_itself": name == OF_API_NODES,
            "topics": list(one.topics),
            "partitioning": one.partitioning,
            "connection": kept.get("connection") or None,
        }

    def switch_on(
        self, name: str, *, connection: str | None = None, start: str = "now", by: str | None = None
    ) -> dict[str, Any]:
        """Make the connection, the target and the dataset of an extension; those that are there already stay.

        connection  name of the connection below whose place its files go.
        start       from when on events are written: now, beginning, or a time.

        Raises
        ------
        WhodidError("not_found")
            There is no such extension, or no such connection.
        WhodidError("invalid")
            `start` cannot be read.
        """
        one = _extension(name)
        below = self._connection if connection is None else connection
        kind, options = self._place(name, below)
        self._make(lambda: self._datasets.connections.create(_connection(one, kind, options), by=by))
        self._make(lambda: self._targets.book.create(_target(one, kind, options, start), by=by))
        self._make(lambda: self._datasets.create(_dataset(one), by=by))
        self._keep(name, {"on": True, "connection": below}, "extension-switched-on", by)
        return self.shown_one(name)

    def switch_off(self, name: str, *, by: str | None = None) -> dict[str, Any]:
        """Take the dataset, the target and the connection of an extension away; the files stay.

        Raises
        ------
        WhodidError("conflict")
            Another dataset lies on its connection.
        """
        _extension(name)
        others = [one.name for one in self._datasets.all() if one.connection == name and one.name != name]
        if others:
            raise WhodidError(
                "conflict",
                f"The dataset {others[0]!r} lies on {name!r}.",
                f"Delete it first: dataset delete {others[0]}",
            )
        self._unmake(lambda: self._datasets.delete(name, by=by))
        self._unmake(lambda: self._targets.delete(name, drop=True, by=by))
        self._unmake(lambda: self._datasets.connections.delete(name, by=by))
        self._keep(name, {"on": False}, "extension-switched-off", by)
        return self.shown_one(name)

    def api_node_seen(self) -> None:
        """There is an API node: its query logs get their connection, unless somebody switched that off."""
        if self._directory.setting(_SETTING + OF_API_NODES) is not None:
            return
        # From the beginning: what made it appear is to be in it.
        self.switch_on(OF_API_NODES, start="beginning", by=BY_ITSELF)
        _log.info("The first API node made the connection %s.", OF_API_NODES)

    def _place(self, name: str, below: str) -> tuple[str, dict[str, str]]:
        """Kind and options of the place for an extension's files."""
        if not below:
            return "folder", {"path": str(self._folder / name)}
        connections = self._datasets.connections
        kind, options = connections.get(below).kind, connections.unsealed(below)
        if kind == "folder":
            return kind, {"path": str(Path(options["path"]) / name)}
        return kind, {**options, "prefix": f"{options.get('prefix', '').strip('/')}/{name}".lstrip("/")}

    def _keep(self, name: str, value: dict[str, Any], kind: str, by: str | None) -> None:
        before = self._directory.setting(_SETTING + name)
        told = Told(kind, Entity(type="connection", id=name, name=name), before=before, after=value)
        self._directory.change_setting(_SETTING + name, value, by=by, told=told)

    @staticmethod
    def _make(make: Callable[[], object]) -> None:
        _allowing("conflict", make)

    @staticmethod
    def _unmake(unmake: Callable[[], object]) -> None:
        _allowing("not_found", unmake)


def _allowing(code: str, work: Callable[[], object]) -> None:
    try:
        work()
    except WhodidError as error:
        if error.code != code:
            raise


def _extension(name: str) -> Extension:
    if name not in EXTENSIONS:
        raise WhodidError("not_found", f"There is no extension {name[:100]!r}.", f"There are: {', '.join(EXTENSIONS)}.")
    return EXTENSIONS[name]


def _connection(one: Extension, kind: str, options: dict[str, str]) -> Connection:
    return Connection(name=one.name, kind=kind, options=options, description=one.title)


def _target(one: Extension, kind: str, options: dict[str, str], start: str) -> NewTarget:
    return NewTarget(
        name=one.name,
        kind="files" if kind == "folder" else kind,
        options={**options, "folders": one.folders},
        selection=Selection(topics=list(one.topics)),
        format=_FORMAT,
        start=start,
    )


def _dataset(one: Extension) -> Dataset:
    return Dataset(
        name=one.name,
        connection=one.name,
        format="json",
        partitioning=one.partitioning,
        description=one.title,
    )
