"""Where a name leads: every person, entity, type, error, session and request has a page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, time
from typing import Any, Final
from urllib.parse import quote, urlencode

from whodid.web.pages.choice import Choice

# Column of a report or an event, and the page of what it names.
LINKS: Final[dict[str, str]] = {
    "person": "/users/{}",
    "user": "/users/{}",
    "login": "/users/{}",
    "account": "/users/{}",
    "owner": "/users/{}",
    "installed_by": "/users/{}",
    "last_edit_by": "/users/{}",
    "registered_by": "/events?type=package-published&type=interface-registered&text={}&range=all",
    "acting_for": "/users/{}",
    "changed_by": "/users/{}",
    "session": "/sessions/{}",
    "request_id": "/requests/{}",
    "error_hash": "/errors/{}",
    "event": "/events/{}",
    "event_id": "/events/{}",
    "project": "/entities/project/{}",
    "type": "/events?type={}",
    "topic": "/events?topic={}",
    "level": "/events?level={}",
    "function": "/functions/{}",
    "node": "/nodes/{}",
    "service": "/api-nodes/{}",
    "group": "/groups/{}",
    "package": "/events?parameter=package={}",
}
# Columns that lead to the page of what they name, whatever a report's drill-down is.
PAGED: Final = ("node", "service")
# Kinds of items of the interface; one that was only registered may have another, of which there are no events.
ITEMS: Final = ("menu", "dialog", "click", "command", "input")
# By what the addresses of pages begin with: the field of the search of events that has the same value.
SEARCHED: Final[dict[str, tuple[str, str]]] = {
    "users": ("user", "{}"),
    "groups": ("group", "{}"),
    "functions": ("function", "{}"),
    "entities": ("entity", "{}"),
    "errors": ("error_hash", "{}"),
    "requests": ("request_id", "{}"),
    "nodes": ("node", "{}"),
    "api-nodes": ("entity", "api-service:{}"),
}
# Pages of many things, which take a page's conditions along with its time range; by what they begin with.
LISTS: Final = ("/events", "/users")
NARROWED: Final = ("/hours/", "/retention/")
# Columns whose links have a card that opens beside them.
CARDS: Final = ("/users/", "/entities/", "/sessions/", "/errors/", "/requests/")

_PLACE: Final = re.compile(r"\{(\w+)\}")


def link(column: str, row: Mapping[str, Any], choice: Choice) -> str | None:
    """The address of what a cell names; None when it names nothing that has a page."""
    value = row.get(column)
    if column in ("entity_id", "entity_name") and row.get("entity_type") and row.get("entity_id"):
        return entity_link(row["entity_type"], row["entity_id"])
    if column == "thing" and isinstance(value, str) and ":" in value:
        # Where a thing is told by its name, its id stands beside it.
        return entity_link(*(row.get("thing_id") or value).split(":", 1))
    address = _item_link(value, row["kind"]) if column == "item" and "kind" in row else page_link(column, value)
    return None if address is None else _with_span(address, choice)


def page_link(column: str, value: Any) -> str | None:
    """The page of what a column holds; None when it has none."""
    if value in (None, "") or column not in LINKS:
        return None
    return reached(LINKS[column].format(quote(str(value), safe="")))


def _item_link(item: Any, kind: Any) -> str | None:
    """The events of an item of the interface; None of a kind that is not known."""
    return f"/events?item={kind}:{quote(str(item), safe='')}" if kind in ITEMS else None


def entity_link(kind: str, name: str) -> str:
    """The page of an entity."""
    return reached(f"/entities/{quote(kind, safe='')}/{quote(name, safe='')}")


def user_link(login: str) -> str:
    """The page of a user."""
    return reached(f"/users/{quote(login, safe='')}")


def reached(address: str) -> str:
    """An address that browsers reach: the events of what is called . or .., which they would take for a way."""
    path, _, query = address.partition("?")
    _, first, *names = path.split("/")
    if not {".", ".."} & {*names} or first not in SEARCHED:
        return address
    field, value = SEARCHED[first]
    asked = f"{field}={value.format(':'.join(names))}"
    return f"/events?{asked}&{query}" if query else f"/events?{asked}"


def drill(pattern: str, row: Mapping[str, Any], choice: Choice) -> str | None:
    """The address that a report's drill-down means for a row; None without one, or when the row lacks a part of it."""
    missing = [name for name in _PLACE.findall(pattern) if row.get(name) in (None, "")]
    if missing or not pattern:
        return None
    address = reached(_PLACE.sub(lambda place: quote(_text(row[place[1]]), safe=""), pattern))
    return _with_span(address, choice)


def drilled_column(pattern: str) -> str | None:
    """The column whose cells carry the drill-down: the last that the pattern names."""
    names = _PLACE.findall(pattern)
    return names[-1] if names else None


def has_card(address: str) -> bool:
    """Whether a card opens beside a link to this address."""
    return address.startswith(CARDS)


def _text(value: Any) -> str:
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _with_span(address: str, choice: Choice) -> str:
    """Lists keep the page's time range and conditions, unless the address states its own."""
    path, _, query = address.partition("?")
    given = {pair.partition("=")[0] for pair in query.split("&")} if query else set()
    if path not in LISTS and not path.startswith(NARROWED):
        kept = [(name, value) for name, value in choice.pairs() if name in ("range", "since", "until")]
    else:
        kept = choice.pairs()
    times = {"range", "since", "until"}
    kept = [pair for pair in kept if pair[0] not in given and not (pair[0] in times and given & times)]
    more = urlencode(kept)
    parts = [part for part in (query, more) if part]
    return f"{path}?{'&'.join(parts)}" if parts else path
