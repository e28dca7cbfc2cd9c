"""The questions that Datagrok's client asks: its log, users and groups, in its own shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote

import msgspec
from sqlalchemy import select as sql_select

from whodid.directory import Directory, tables
from whodid.directory.model import Group, User
from whodid.directory.users import is_uuid, select_users, user_of
from whodid.errors import WhodidError
from whodid.reading import read
from whodid.reading.audit import reading
from whodid.reading.cells import encode
from whodid.reading.dialect import dialect_of
from whodid.reading.filters import EventFilter, make_filter
from whodid.reading.output import rows
from whodid.reading.selection import select
from whodid.receive.clients import datagrok_shapes as shapes
from whodid.receive.clients.base import Answer, Request
from whodid.receive.clients.library import Library
from whodid.stores.base import Store

LIMIT_DEFAULT: Final = 50
ROWS_MAX: Final = 10_000
CHUNK: Final = 500

_NEWEST: Final = ("", "!eventTime", "-eventTime", "!event_time", "-event_time")
_OLDEST: Final = ("eventTime", "event_time")


def list_log(request: Request, library: Library) -> Answer:
    """Events of a page, newest first unless told otherwise."""
    return _events(request, library, "log", _filter(request, library), read.events)


def list_activity(request: Request, library: Library) -> Answer:
    """What a user did, of the last seven days unless told otherwise."""
    try:
        login = library.directory.user(request.names["user"]).login
    except WhodidError as error:
        if error.code != "not_found":
            raise
        login = request.names["user"]
    wanted = _filter(request, library, user=login)
    return _events(request, library, "log/activity", wanted, read.activity)


def count_log(request: Request, library: Library) -> Answer:
    """How many events there are: a bare number."""
    store, wanted = _store(library), _filter(request, library)
    if wanted is None:
        return _json(0)
    chosen = select(wanted, dialect_of(store.kind), library.directory)
    sql = f"SELECT count(*) AS n FROM {chosen.source} e WHERE {chosen.where}"  # noqa: S608 (values are parameters)
    _told(request, library, "log/count", wanted)
    return _json(store.query(sql, chosen.params, trusted=True).table.column("n")[0].as_py())


def list_types(request: Request, library: Library) -> Answer:
    """The types and levels of all events."""
    store = _store(library)
    sql = f'SELECT DISTINCT e."type", e."level" FROM {dialect_of(store.kind).events} e ORDER BY 1, 2'  # noqa: S608
    found = rows(store.query(sql, limit=ROWS_MAX, trusted=True).table)
    return _json([shapes.event_type(row["type"], row["level"]) for row in found])


def one_event(request: Request, library: Library) -> Answer:
    """The event of this id. Raises not_found."""
    found = rows(read.event(_store(library), request.names["id"]))
    _told(request, library, "log", {"id": request.names["id"]})
    return _json(_shaped(library.directory, found)[0])


def list_users(request: Request, library: Library) -> Answer:
    return _json([shapes.user(each) for each in _page(request, _users(request, library), _USER_ORDERS)])


def count_users(request: Request, library: Library) -> Answer:
    return _json(len(_users(request, library)))


def one_user(request: Request, library: Library) -> Answer:
    return _json(shapes.user(library.directory.user(request.names["id"])))


def current_user(request: Request, library: Library) -> Answer:
    """The user whose key it is; a key of nobody's is a user of the key's name."""
    assert request.caller is not None, "the route needs a key"
    login = request.caller.user or request.caller.name
    try:
        return _json(shapes.user(library.directory.user(login)))
    except WhodidError as error:
        if error.code != "not_found":
            raise
        return _json(shapes.unknown_user(login))


def list_groups(request: Request, library: Library) -> Answer:
    return _json([shapes.group(each) for each in _page(request, _groups(request, library), _GROUP_ORDERS)])


def count_groups(request: Request, library: Library) -> Answer:
    return _json(len(_groups(request, library)))


def one_group(request: Request, library: Library) -> Answer:
    return _json(shapes.group(library.directory.group(request.names["id"])))


def _events(
    request: Request,
    library: Library,
    what: str,
    wanted: EventFilter | None,
    ask: Callable[[Store, Directory, EventFilter], read.Page],
) -> Answer:
    if wanted is None:
        return _json([])
    limit, first = _span(request)
    wanted = msgspec.structs.replace(wanted, limit=first + limit)
    found = rows(ask(_store(library), library.directory, wanted).table)[first:]
    _told(request, library, what, wanted)
    return _json(_shaped(library.directory, found))


def _filter(request: Request, library: Library, **more: Any) -> EventFilter | None:
    """The filter of a query; None when it asks for an entity that no event mentions."""
    query = request.query
    given: dict[str, Any] = {**more, "order": _order(query.get("order", ""))}
    for name, field in (("start", "since"), ("end", "until")):
        if query.get(name):
            given[field] = _instant(name, query[name])
    if query.get("text"):
        # The client encodes it twice.
        given["text"] = unquote(query["text"])
    if query.get("entityId"):
        entity = _entity(library.directory, query["entityId"])
        if entity is None:
            return None
        given["entity"] = [entity]
    return make_filter(**given)


def _order(told: str) -> str:
    if told in _NEWEST:
        return "newest"
    if told in _OLDEST:
        return "oldest"
    raise WhodidError("invalid", f"Events cannot be ordered by {told[:100]!r}.", "Order by eventTime or !eventTime.")


def _instant(name: str, told: str) -> datetime:
    try:
        time = datetime.fromisoformat(told)
    except ValueError:
        raise WhodidError("invalid", f"{name} is {told[:100]!r}, which is no time.") from None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _entity(directory: Directory, identity: str) -> tuple[str, str] | None:
    """Type and id of the thing that has this UUID."""
    if not is_uuid(identity):
        raise WhodidError("invalid", f"entityId is {identity[:100]!r}, which is no UUID.")
    known = tables.known_entities
    with directory.reading() as connection:
        found = sql_select(known.c.type, known.c.id).where(known.c.entity_id == identity)
        row = connection.execute(found).first()
    return None if row is None else (row.type, row.id)


def _shaped(directory: Directory, found: list[dict[str, Any]]) -> list[shapes.Shape]:
    users = _known_users(directory, shapes.logins_of(found))
    started = _started(directory, sorted({row["session"] for row in found if row["session"] is not None}))
    return [shapes.log_event(row, users, started) for row in found]


def _known_users(directory: Directory, logins: list[str]) -> dict[str, User]:
    found: dict[str, User] = {}
    with directory.reading() as connection:
        for chunk in _chunks(logins):
            for row in connection.execute(select_users().where(tables.users.c.login.in_(chunk))):
                found[row.login] = user_of(row)
    return found


def _started(directory: Directory, sessions: list[str]) -> dict[str, datetime]:
    table = tables.users_sessions
    found: dict[str, datetime] = {}
    with directory.reading() as connection:
        for chunk in _chunks(sessions):
            asked = sql_select(table.c.id, table.c.started).where(table.c.id.in_(chunk))
            found.update({str(row.id): row.started for row in connection.execute(asked)})
    return found


def _chunks(values: list[str]) -> Iterable[list[str]]:
    return (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))


def _users(request: Request, library: Library) -> list[User]:
    return library.directory.users(text=_text(request), limit=ROWS_MAX)


def _groups(request: Request, library: Library) -> list[Group]:
    text = (_text(request) or "").lower()
    return [
        each
        for each in library.directory.groups()
        if text in f"{each.name} {each.friendly_name} {each.description}".lower()
    ]


def _text(request: Request) -> str | None:
    return unquote(request.query.get("text", "")) or None


_LEAST: Final = datetime.min.replace(tzinfo=UTC)
_USER_ORDERS: Final[Mapping[str, Callable[[User], Any]]] = {
    "login": lambda each: each.login,
    "name": lambda each: each.name or "",
    "friendlyName": lambda each: each.friendly_name or "",
    "joined": lambda each: each.joined or _LEAST,
    "createdOn": lambda each: each.joined or _LEAST,
}
_GROUP_ORDERS: Final[Mapping[str, Callable[[Group], Any]]] = {
    "name": lambda each: each.name,
    "friendlyName": lambda each: each.friendly_name or "",
    "createdOn": lambda each: each.name,
}


def _page(request: Request, found: list[Any], orders: Mapping[str, Callable[[Any], Any]]) -> list[Any]:
    told = request.query.get("order", "")
    name = told.lstrip("!-")
    if name:
        if name not in orders:
            raise WhodidError("invalid", f"There is no order {told[:100]!r}.", f"Order by {', '.join(orders)}.")
        found = sorted(found, key=orders[name], reverse=told[0] in "!-")
    limit, first = _span(request)
    return found[first : first + limit]


def _span(request: Request) -> tuple[int, int]:
    """How many, and how many to pass over; pages count from 1, and 0 is the first too."""
    limit = _number(request, "limit", LIMIT_DEFAULT)
    page = max(1, _number(request, "page", 1))
    if limit < 1 or limit * page > ROWS_MAX:
        raise WhodidError(
            "invalid", f"limit and page reach beyond {ROWS_MAX:,} rows.", "Ask for a shorter time with start and end."
        )
    return limit, limit * (page - 1)


def _number(request: Request, name: str, default: int) -> int:
    told = request.query.get(name) or str(default)
    if not (told.isascii() and told.isdigit() and len(told) < 10):
        raise WhodidError("invalid", f"{name} is {told[:50]!r}, which is no number.")
    return int(told)


def _store(library: Library) -> Store:
    if library.store is None:
        raise WhodidError("unavailable", "There is no store to read from.")
    return library.store


def _told(request: Request, library: Library, what: str, wanted: EventFilter | dict[str, Any]) -> None:
    """Reading the audit is audited."""
    if library.record is not None and request.caller is not None:
        by = request.caller.user or request.caller.name
        library.record(reading("audit-read", by=by, what=what, wanted=wanted, client="datagrok"))


def _json(value: Any) -> Answer:
    return Answer(200, encode(value))
