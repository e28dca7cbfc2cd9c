"""Settings: named JSON values, every version of them kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import delete, insert, select, update

from whodid.directory import tables
from whodid.directory.database import now, touch
from whodid.directory.model import Setting
from whodid.directory.snapshot import Watched
from whodid.errors import WhodidError
from whodid.event import Entity

SECRET_NAME: Final = re.compile(r"password|passphrase|secret|token|credential|(^|_)key$", re.IGNORECASE)


class Told(NamedTuple):
    """What the event of a change says: its type, what was changed, and before and after."""

    kind: str
    entity: Entity
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


class Settings(Watched):
    """The part of the directory that knows settings."""

    def setting(self, name: str, default: Any = None) -> Any:
        """The value of a setting, from memory."""
        return self.snapshot.settings.get(name, default)

    def settings(self) -> list[Setting]:
        """All settings by name, each in its last version."""
        with self.reading() as connection:
            return [_setting(row) for row in connection.execute(select(tables.settings).order_by("name"))]

    def setting_versions(self, name: str) -> list[Setting]:
        """Every version of a setting, the newest first; a value of None is one that was taken away."""
        versions = tables.setting_versions
        found = select(versions).where(versions.c.name == name).order_by(versions.c.version.desc())
        with self.reading() as connection:
            return [_setting(row) for row in connection.execute(found)]

    def change_setting(
        self,
        name: str,
        value: Any,
        *,
        by: str | None = None,
        expected_version: int | None = None,
        told: Told | None = None,
    ) -> Setting:
        """Give a setting a new value (JSON; None takes it away).

        expected_version  the version the caller saw (0: none); another one meanwhile raises WhodidError("conflict").
        told              the event of the change, where it has words of its own: holds no secrets.
        Returns           the setting as it is afterwards; the same value again makes no version.
        """
        row = {"name": name, "value": value, "changed_at": now(), "changed_by": by}
        with self.writing() as connection:
            seen = self._last(connection, name)
            if expected_version is not None and expected_version != (seen.version if seen else 0):
                raise WhodidError("conflict", f"Setting {name!r} was changed meanwhile.", "Read it again, then change.")
            before = seen.value if seen else None
            if before == value and type(before) is type(value):
                return seen or Setting(name=name, value=None, version=0, changed_at=row["changed_at"])
            row["version"] = seen.version + 1 if seen else 1
            connection.execute(insert(tables.setting_versions).values(row))
            if value is None:
                connection.execute(delete(tables.settings).where(tables.settings.c.name == name))
            elif not connection.execute(
                update(tables.settings).where(tables.settings.c.name == name).values(row)
            ).rowcount:
                connection.execute(insert(tables.settings).values(row))
            touch(connection)
            told = told or Told(
                "settings-changed",
                Entity(type="setting", id=name, name=name),
                before={"value": _without_secrets(before)},
                after={"value": _without_secrets(value)},
            )
            self.announce(told.kind, told.entity, by=by, before=told.before, after=told.after)
        self.refresh()
        return Setting(**row)

    @staticmethod
    def _last(connection: Any, name: str) -> Setting | None:
        versions = tables.setting_versions
        newest = select(versions).where(versions.c.name == name).order_by(versions.c.version.desc()).limit(1)
        row = connection.execute(newest).first()
        return _setting(row) if row is not None else None


def _setting(row: Any) -> Setting:
    return Setting(
        name=row.name, value=row.value, version=row.version, changed_at=row.changed_at, changed_by=row.changed_by
    )


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: "***" if isinstance(name, str) and SECRET_NAME.search(name) else _without_secrets(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_without_secrets(inner) for inner in value]
    return value
