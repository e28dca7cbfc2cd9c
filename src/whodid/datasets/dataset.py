"""Datasets: files of a connection, with their format and the pattern of their partitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from whodid.datasets.connections import Connections, check_name
from whodid.directory import Directory
from whodid.errors import WhodidError
from whodid.pattern import PathPattern

LINE: Final = "one record per line"
FORMATS: Final = (LINE, "json", "parquet")
CHARSETS: Final = ("utf8", "latin1", "utf16")
DEPTH: Final = 2
DEPTH_MAX: Final = 10
_SETTING: Final = "dataset/"


class Dataset(Struct, kw_only=True, frozen=True):
    """Files below a path of a connection.

    format        `one record per line`: one column of text; `json`: one JSON object a line; `parquet`.
    partitioning  pattern of the paths, from `path` on (see `pattern.PathPattern`); None takes every file.
    max_depth     of json: how many levels of objects become columns; deeper values stay JSON text.
    """

    name: str
    connection: str
    path: str = ""
    format: str = "json"
    charset: str = "utf8"
    partitioning: str | None = None
    max_depth: int = DEPTH
    description: str | None = None

    @property
    def pattern(self) -> PathPattern | None:
        return PathPattern(self.partitioning) if self.partitioning else None


class Datasets:
    """The datasets of a directory. Every change is an event with before and after."""

    def __init__(self, directory: Directory, connections: Connections):
        self._directory = directory
        self.connections = connections

    def all(self) -> list[Dataset]:
        """All datasets by name."""
        found = self._directory.snapshot.settings
        return [_read(found[name]) for name in sorted(found) if name.startswith(_SETTING)]

    def get(self, name: str) -> Dataset:
        """The dataset of this name; raises WhodidError("not_found") when there is none."""
        value = self._directory.setting(_SETTING + name)
        if value is None:
            known = ", ".join(dataset.name for dataset in self.all()) or "none yet"
            raise WhodidError("not_found", f"There is no dataset {name[:100]!r}.", f"There are: {known}.")
        return _read(value)

    def create(self, dataset: Dataset, *, by: str | None = None) -> Dataset:
        """Keep a dataset.

        Raises
        ------
        WhodidError("invalid")
            Its name, path, format, charset, depth or pattern is not good; the message says which.
        WhodidError("not_found")
            There is no such connection.
        WhodidError("conflict")
            There is a dataset of this name.
        """
        check_name("dataset", dataset.name)
        self._check(dataset)
        if self._directory.setting(_SETTING + dataset.name) is not None:
            raise WhodidError(
                "conflict", f"There is a dataset {dataset.name!r} already.", "Change or delete it.", field="name"
            )
        self._directory.change_setting(_SETTING + dataset.name, _written(dataset), by=by)
        return dataset

    def change(self, name: str, changes: Mapping[str, Any], *, by: str | None = None) -> Dataset:
        """Change what is named in `changes`."""
        after = _read({**_written(self.get(name)), **changes, "name": name})
        self._check(after)
        self._directory.change_setting(_SETTING + name, _written(after), by=by)
        return after

    def delete(self, name: str, *, by: str | None = None) -> None:
        """Forget a dataset; its files stay."""
        self.get(name)
        self._directory.change_setting(_SETTING + name, None, by=by)

    def _check(self, dataset: Dataset) -> None:
        self.connections.get(dataset.connection)
        _one_of("format", dataset.format, FORMATS)
        _one_of("charset", dataset.charset, CHARSETS)
        if not 1 <= dataset.max_depth <= DEPTH_MAX:
            raise WhodidError(
                "invalid", f"max_depth is {dataset.max_depth}.", f"It may be 1 to {DEPTH_MAX}.", field="max_depth"
            )
        if ".." in dataset.path.split("/"):
            raise WhodidError(
                "invalid", f"The path {dataset.path!r} leads out of the connection.", "Leave out the ..", field="path"
            )
        if dataset.partitioning:
            PathPattern(dataset.partitioning)


def _one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise WhodidError("invalid", f"The {what} is {value[:100]!r}.", f"It may be: {', '.join(known)}.", field=what)


def _written(dataset: Dataset) -> dict[str, Any]:
    return {name: getattr(dataset, name) for name in Dataset.__struct_fields__}


def _read(value: Mapping[str, Any]) -> Dataset:
    return Dataset(**{name: value[name] for name in Dataset.__struct_fields__ if name in value})
