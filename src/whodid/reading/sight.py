"""What a caller may see of the events."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from whodid.reading.dialect import Dialect

# Instead of an id: every entity of that type.
ANY: Final = "*"


class Sight(Struct, kw_only=True, frozen=True):
    """Events that somebody may see: one reason is enough.

    everything  all of them.
    users       what these logins did, and what was done for them.
    projects    what happened in these projects.
    entities    what touched one of these, in any role: pairs of type and id; `ANY` stands for every id.
    """

    everything: bool = False
    users: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    entities: tuple[tuple[str, str], ...] = ()

    def joined(self, other: Sight) -> Sight:
        """What both together see."""
        if self.everything or other.everything:
            return EVERYTHING
        return Sight(
            users=tuple(dict.fromkeys((*self.users, *other.users))),
            projects=tuple(dict.fromkeys((*self.projects, *other.projects))),
            entities=tuple(dict.fromkeys((*self.entities, *other.entities))),
        )

    @property
    def is_limited(self) -> bool:
        return not self.everything


EVERYTHING: Final = Sight(everything=True)
NOTHING: Final = Sight()


def condition(sight: Sight, dialect: Dialect) -> tuple[str, dict[str, Any]]:
    """The condition that a sight is on events `e`, and its parameters; every name is a parameter, never SQL."""
    if sight.everything:
        return "TRUE", {}
    params: dict[str, Any] = {}

    def text(value: str) -> str:
        name = f"sight{len(params)}"
        params[name] = value
        return f"CAST(${name} AS varchar)"

    ways = []
    if sight.users:
        logins = ", ".join(text(login) for login in sight.users)
        ways += [f'e."user" IN ({logins})', f'e."acting_for" IN ({logins})']
    if sight.projects:
        ways.append(f"{dialect.project} IN ({', '.join(text(project) for project in sight.projects)})")
    if sight.entities:
        names = [(text(kind), None if name == ANY else text(name)) for kind, name in sight.entities]
        ways.append(_touched('e."entity_type"', 'e."entity_id"', names))
        further = _touched('x."type"', 'x."id"', names)
        ways.append(f'e."id" IN (SELECT x."event_id" FROM {dialect.event_entities} x WHERE {further})')  # noqa: S608
    return f"({' OR '.join(ways)})" if ways else "FALSE", params


def _touched(kind: str, identifier: str, names: list[tuple[str, str | None]]) -> str:
    ways = [f"{kind} = {one}" + (f" AND {identifier} = {name}" if name else "") for one, name in names]
    return " OR ".join(f"({way})" for way in ways)
