"""What the roles of a user allow."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Final, NamedTuple

from whodid.directory.model import SCOPES, Grant
from whodid.reading.sight import NOTHING, Sight

# What a role may do without limits. A reader reads within the limits of its grants.
SCOPES_OF_ROLES: Final[dict[str, tuple[str, ...]]] = {
    "admin": SCOPES,
    "auditor": ("read",),
    "writer": ("write",),
    "reader": (),
}


class Rights(NamedTuple):
    """What somebody may do everywhere, and what it may see if that is not everything."""

    scopes: frozenset[str]
    limited: Sight
    roles: tuple[str, ...]


def rights_of(login: str, grants: Iterable[Grant]) -> Rights:
    """The rights that grants together give to a user. Without any grant there are none."""
    given = tuple(grants)
    scopes = frozenset(scope for grant in given for scope in SCOPES_OF_ROLES.get(grant.role, ()))
    seen = (_seen(login, grant) for grant in given if grant.role == "reader")
    return Rights(scopes, reduce(Sight.joined, seen, NOTHING), tuple(dict.fromkeys(grant.role for grant in given)))


def _seen(login: str, grant: Grant) -> Sight:
    entities = tuple((kind, name) for kind, _, name in (entity.partition(":") for entity in grant.entities))
    return Sight(users=(login,) if grant.own else (), projects=grant.projects, entities=entities)
