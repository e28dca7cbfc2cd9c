"""Saved queries: a setting each, one's own or shared with everybody who may ask."""

from __future__ import annotations

import uuid
from typing import Any, Final

from msgspec import Struct, to_builtins

from whodid.directory import Directory
from whodid.directory.settings import Told
from whodid.errors import WhodidError
from whodid.event import Entity
from whodid.typed import convert

PREFIX: Final = "console/query/"
NAME_MAX: Final = 120
SQL_MAX: Final = 100_000
EACH_MAX: Final = 500


class SavedQuery(Struct, kw_only=True, frozen=True):
    """A statement under a name; `shared` ones are seen by everybody who may use the console."""

    id: str
    name: str
    sql: str
    owner: str
    shared: bool = False


def saved_for(directory: Directory, who: str) -> list[SavedQuery]:
    """One's own queries and those that are shared, by name."""
    found = [query for query in _all(directory) if query.shared or query.owner == who]
    return sorted(found, key=lambda query: (query.owner != who, query.name.lower(), query.id))


def saved_query(directory: Directory, which: str, who: str) -> SavedQuery:
    """One of them. Raises WhodidError("not_found") for one that is not there or not for `who`."""
    value = directory.setting(PREFIX + which)
    query = convert(value, SavedQuery) if value is not None else None
    if query is None or not (query.shared or query.owner == who):
        raise WhodidError("not_found", "There is no such saved query.", "It may have been deleted: see the console.")
    return query


def save(directory: Directory, name: str, sql: str, *, shared: bool, by: str) -> SavedQuery:
    """Keep a statement under a name; one's own of the same name is replaced.

    Raises
    ------
    WhodidError("invalid")
        No name, no statement, or too long; or there are `EACH_MAX` already.
    """
    name = _name(name)
    if not sql.strip() or len(sql) > SQL_MAX:
        raise WhodidError("invalid", "There is no SQL to save, or it is too long.", "Write a SELECT first.")
    mine = [query for query in _all(directory) if query.owner == by]
    same = next((query for query in mine if query.name == name), None)
    if same is None and len(mine) >= EACH_MAX:
        raise WhodidError("invalid", f"You have {EACH_MAX} saved queries.", "Delete some first.")
    query = SavedQuery(id=same.id if same else str(uuid.uuid4()), name=name, sql=sql, owner=by, shared=shared)
    _keep(directory, same, query, by)
    return query


def rename(directory: Directory, which: str, name: str, *, shared: bool, by: str, is_admin: bool = False) -> SavedQuery:
    """Give a query another name, or share it. Raises not_found, and forbidden for somebody else's."""
    before = _own(directory, which, by, is_admin)
    after = SavedQuery(id=before.id, name=_name(name), sql=before.sql, owner=before.owner, shared=shared)
    _keep(directory, before, after, by)
    return after


def delete(directory: Directory, which: str, *, by: str, is_admin: bool = False) -> SavedQuery:
    """Take a query away. Raises not_found, and forbidden for somebody else's."""
    before = _own(directory, which, by, is_admin)
    _keep(directory, before, None, by)
    return before


def _all(directory: Directory) -> list[SavedQuery]:
    settings = directory.snapshot.settings
    return [convert(value, SavedQuery) for name, value in settings.items() if name.startswith(PREFIX)]


def _own(directory: Directory, which: str, by: str, is_admin: bool) -> SavedQuery:
    found = saved_query(directory, which, by)
    if found.owner != by and not is_admin:
        raise WhodidError("forbidden", f"{found.name!r} is {found.owner}'s.", "Save it under your own name.")
    return found


def _name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= NAME_MAX or not name.isprintable():
        raise WhodidError("invalid", f"A name has 1 to {NAME_MAX} characters.", "Name it after its question.")
    return name


def _keep(directory: Directory, before: SavedQuery | None, after: SavedQuery | None, by: str) -> None:
    kind = "saved-query-created" if before is None else "saved-query-changed" if after else "saved-query-deleted"
    query: Any = after or before
    told = Told(kind, Entity(type="saved-query", id=query.id, name=query.name), _told(before), _told(after))
    directory.change_setting(PREFIX + query.id, to_builtins(after) if after else None, by=by, told=told)


def _told(query: SavedQuery | None) -> dict[str, Any] | None:
    return None if query is None else to_builtins(query)
