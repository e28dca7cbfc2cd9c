"""A small platform with everything fixed: four people, nested groups, two queries, a package, and twenty events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import psycopg

from support.events import entity, event
from whodid.event import Entity, Event


def ident(kind: int, number: int) -> str:
    """A UUID one can read: 4000 for users, 5000 for groups, …"""
    return str(UUID(int=(kind << 64) + number))


USERS: Final = {login: ident(0x4000, place) for place, login in enumerate(("ann", "ben", "cy"), start=1)}
GROUPS: Final = {
    name: ident(0x5000, place)
    for place, name in enumerate(("All users", "Chemistry", "Biology", "Lab", "Ann", "Ben", "Cy"), start=1)
}
# Child → parents. Cy is in the Lab, and by it in Chemistry.
MEMBERS: Final = {
    "Ann": ("Chemistry",),
    "Ben": ("Biology",),
    "Cy": ("Lab",),
    "Lab": ("Chemistry",),
    "Chemistry": ("All users",),
    "Biology": ("All users",),
}
SESSIONS: Final = {
    "ann-1": (ident(0x6000, 1), "ann"),
    "ann-2": (ident(0x6000, 2), "ann"),
    "ben": (ident(0x6000, 3), "ben"),
    "cy": (ident(0x6000, 4), "cy"),
}
ENTITIES: Final = {
    "Orders": (ident(0x7000, 1), "query"),
    "Stock": (ident(0x7000, 2), "query"),
    "Docking": (ident(0x7000, 3), "project"),
    "Plates": (ident(0x7000, 4), "dataset"),
    "Wells": (ident(0x7000, 5), "dataset"),
}
ENTITY_TYPES: Final = {name: ident(0x8000, place) for place, name in enumerate(("query", "project", "dataset"), 1)}
PACKAGE, PUBLISHED = ident(0x9000, 1), ident(0x9000, 2)
HASHES: Final = (ident(0xA000, 1), ident(0xA000, 2))


def _thing(name: str, role: str | None = None) -> Entity:
    id_, type_ = ENTITIES[name]
    return entity(type_, id_, name, role)


def _at(day: int, hour: int) -> datetime:
    return datetime(2026, 5, day, hour, tzinfo=UTC)


def _by(session: str | None) -> dict[str, Any]:
    return {} if session is None else {"session": SESSIONS[session][0], "user": SESSIONS[session][1]}


def _query(day: int, hour: int, session: str, query: str, rows: int | None) -> Event:
    return event(
        time=_at(day, hour),
        type="query-start",
        entities=[_thing(query)],
        parameters={"rows": rows, "connection": "Sales"},
        **_by(session),
    )


def _error(day: int, hour: int, session: str | None, message: str, group: str) -> Event:
    failed: dict[str, Any] = {
        "error_message": message,
        "error_stack_trace": f"{message}\n  at f (a.js:1:2)",
        "error_hash": group,
    }
    return event(time=_at(day, hour), type="error", level="error", **failed, **_by(session))


def _package(day: int, session: str) -> Event:
    package = entity("package", PUBLISHED, "ChemTools", "package")
    return event(
        time=_at(day, 12), type="function-run", entities=[package], parameters={"name": "Dock"}, **_by(session)
    )


def _click(day: int, hour: int, session: str, target: str) -> Event:
    return event(time=_at(day, hour), type="click", level="usage", parameters={"target": target}, **_by(session))


def _request(minute: int, status: int, ms: float) -> Event:
    told = {"method": "GET", "route": "/api/x", "status": status, "ms": ms}
    at = _at(5, 16) + timedelta(minutes=minute)
    return event(time=at, type="http-request", level="usage", parameters=told, **_by("ben"))


def events() -> list[Event]:
    """May 4 and 5 are full, May 20 has a few, and one happened a minute ago."""
    now = datetime.now(UTC) - timedelta(minutes=1)
    return [
        event(time=_at(4, 7), type="server-started", source="server"),
        event(time=_at(4, 8), type="user-login-failed", parameters={"login": "eve"}),
        _query(4, 9, "ann-1", "Orders", 10),
        _query(4, 10, "ben", "Orders", 30),
        _package(4, "ann-1"),
        _click(4, 15, "ann-1", "Run"),
        event(
            time=_at(4, 16),
            type="project-opened",
            entities=[_thing("Docking"), _thing("Plates", "input"), _thing("Wells", "input")],
            **_by("ann-1"),
        ),
        _query(5, 9, "ann-2", "Stock", 5),
        _query(5, 11, "cy", "Orders", None),
        _package(5, "ben"),
        _error(5, 13, "ann-2", "Boom", HASHES[0]),
        _error(5, 14, "ben", "Boom", HASHES[0]),
        _click(5, 15, "cy", "Save"),
        _request(0, 200, 12.5),
        _request(1, 500, 100),
        _error(20, 9, None, "Bang", HASHES[1]),
        _query(20, 10, "ann-2", "Orders", 1),
        event(time=now, type="notebook-start", **_by("cy")),
    ]


def fill(connection: psycopg.Connection[Any]) -> None:
    """Write the people and things into the tables beside the events."""

    def add(table: str, *rows: tuple[Any, ...]) -> None:
        marks = ", ".join(["%s"] * len(rows[0]))
        with connection.cursor() as cursor:
            # What events mention is there already.
            ids = [(row[0],) for row in rows]
            if table in ("projects", "packages", "connections", "queries", "funcs"):
                cursor.executemany(f"DELETE FROM public.{table} WHERE id = %s", ids)
            cursor.executemany(f"INSERT INTO public.{table} VALUES ({marks})", rows)

    for login, id_ in USERS.items():
        name = login.capitalize()
        add("users", (id_, login, login, name, None, name, None, None, _at(1, 0), GROUPS[name]))
    add("groups", *((id_, name.lower(), name, name.lower() in USERS, None) for name, id_ in GROUPS.items()))
    add("groups_relations", *((GROUPS[up], GROUPS[name], False) for name, ups in MEMBERS.items() for up in ups))
    add("users_sessions", *((id_, USERS[login], _at(4, 8), None, None, None) for id_, login in SESSIONS.values()))
    add("entities_types", *((id_, name) for name, id_ in ENTITY_TYPES.items()))
    add("entities", *((id_, n.lower(), n, ENTITY_TYPES[kind], None, False) for n, (id_, kind) in ENTITIES.items()))
    add("packages", (PACKAGE, "ChemTools", "Chem tools", "Chemistry"))
    add("published_packages", (PUBLISHED, "ChemTools", PACKAGE, True, "ann", _at(1, 0)))
    add("projects", (ENTITIES["Docking"][0], "docking", "Docking", True, False, True, False))
    add("project_relations", *((ENTITIES["Docking"][0], ENTITIES[name][0]) for name in ("Plates", "Orders")))
    add("tags", (ENTITIES["Plates"][0], "demo"))
    func, param, call, other = (ident(0xB000, number) for number in range(1, 5))
    add("funcs", (func, "Dock"))
    add("func_params", (param, func, "smiles", "string"))
    session = SESSIONS["ann-1"][0]
    add("func_calls", (call, func, session, "Completed", _at(4, 12), _at(4, 12) + timedelta(seconds=90)))
    add("func_calls", (other, func, SESSIONS["ben"][0], "Error", _at(5, 12), _at(5, 12) + timedelta(seconds=2)))
    add("func_call_values", (call, param, "CCO", "CCO", None, ["a", "b"], None))
    for number, name, is_resolved, reporter, assignee, labels in (
        (1, "boom", False, "ann", "ben", ["bug", "chem"]),
        (2, "bang", True, "cy", None, ["idea"]),
    ):
        message = name.capitalize()
        add(
            "reports",
            (
                *(ident(0xC000, number), number, "error", name, f"{message}!", None, _at(5, 13), False, is_resolved),
                *(USERS[reporter], USERS.get(assignee or ""), None, message, None, HASHES[number - 1], None, labels),
            ),
        )
    connection.commit()
