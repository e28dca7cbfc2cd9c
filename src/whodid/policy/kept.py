"""Lists that are kept as a setting: read, changed as a whole, every version kept and every change an event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from sqlalchemy import select

from whodid.directory import Directory, tables
from whodid.directory.settings import Told
from whodid.typed import convert

Item = TypeVar("Item")


class Kept(NamedTuple, Generic[Item]):
    """The items of a list, and the version that they are."""

    version: int
    items: list[Item]


class KeptList(Generic[Item]):
    """The list of `kind`s that the setting `name` holds."""

    def __init__(self, directory: Directory, name: str, kind: type[Item]):
        self._directory = directory
        self._name = name
        self._kind = kind

    def remembered(self) -> list[Item]:
        """The items as this process knows them, without asking the database."""
        return self._read(self._directory.setting(self._name, []))

    def read(self) -> Kept[Item]:
        """The items as they are now."""
        settings = tables.settings
        with self._directory.reading() as connection:
            row = connection.execute(select(settings).where(settings.c.name == self._name)).first()
        return Kept(row.version, self._read(row.value)) if row is not None else Kept(0, [])

    def write(self, items: Sequence[Item], version: int, told: Told, *, by: str | None) -> int:
        """Put items in the place of those of `version`; returns their version.

        Raises
        ------
        WhodidError("conflict")
            Somebody changed them meanwhile.
        """
        values = msgspec.to_builtins(list(items))
        return self._directory.change_setting(self._name, values, by=by, expected_version=version, told=told).version

    def _read(self, value: Any) -> list[Item]:
        return convert(value or [], list[self._kind])  # type: ignore[name-defined]  # a type by its value
