"""Grants: which user or group has which role. Without one nobody sees the audit."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import delete, insert

from whodid.directory import tables
from whodid.directory.database import now, touch
from whodid.directory.granted import grant_of, grant_rows
from whodid.directory.groups import Groups
from whodid.directory.model import ROLES, Grant
from whodid.errors import WhodidError
from whodid.event import Entity

VALUES_MAX: Final = 200
VALUE_LENGTH_MAX: Final = 1_000


class Grants(Groups):
    """The part of the directory that knows roles."""

    def grant(
        self,
        role: str,
        *,
        user: str | None = None,
        group: str | None = None,
        projects: Iterable[str] = (),
        entities: Iterable[str] = (),
        own: bool = True,
        by: str | None = None,
    ) -> Grant:
        """Give a role to a user, or to all members of a group.

        role      of `model.ROLES`.
        projects, entities, own
                  what a reader may see: events of projects, those that touched an entity (`type:id`, `type:*`), and
                  what it did itself.
        Raises    WhodidError("invalid"), ("not_found") for an unknown user or group, ("conflict") for the same again.
        """
        limits = _limits(role, projects, entities, own)
        if (user is None) == (group is None):
            raise WhodidError("invalid", "A role goes to a user or to a group.", "Name one of them.")
        with self.writing() as connection:
            whom = self._user(connection, user) if user is not None else None
            team = self._group(connection, group) if group is not None else None
            made = Grant(
                id=str(uuid.uuid4()),
                role=role,
                user=whom.login if whom else None,
                group=team.name if team else None,
                created_at=now(),
                created_by=by,
                **limits,
            )
            if any(_told(made) == _told(grant_of(row)) for row in connection.execute(grant_rows())):
                raise WhodidError(
                    "conflict",
                    f"{made.user or made.group} has this role already.",
                    "See: whodid role list",
                    field="role",
                )
            fields = {name: getattr(made, name) for name in made.__struct_fields__ if name not in ("user", "group")}
            ids = {"user_id": whom.id if whom else None, "group_id": team.id if team else None}
            connection.execute(insert(tables.grants).values(fields | ids))
            touch(connection)
            self.announce(
                "role-granted", _entity(made, ids["user_id"] or ids["group_id"] or ""), by=by, after=_told(made)
            )
        self.refresh()
        return made

    def grants(self) -> list[Grant]:
        """All grants: by role, then by who has it."""
        with self.reading() as connection:
            found = [grant_of(row) for row in connection.execute(grant_rows())]
        return sorted(found, key=lambda one: (ROLES.index(one.role), one.group or "", one.user or "", one.created_at))

    def revoke_grant(self, grant_id: str, *, by: str | None = None) -> Grant:
        """Take a role back by its id, or by the beginning of it; it counts nowhere after a second.

        Raises WhodidError("not_found"), ("invalid") for what more than one begins with.
        """
        grants = tables.grants
        with self.writing() as connection:
            found = [row for row in connection.execute(grant_rows()) if row.id.startswith(grant_id)]
            if not found:
                raise WhodidError("not_found", f"There is no grant {grant_id[:100]!r}.", "See: whodid role list")
            if len(found) > 1:
                raise WhodidError("invalid", f"{grant_id!r} begins more than one grant.", "Give more of its id.")
            connection.execute(delete(grants).where(grants.c.id == found[0].id))
            touch(connection)
            taken = grant_of(found[0])
            self.announce(
                "role-revoked", _entity(taken, found[0].user_id or found[0].group_id), by=by, before=_told(taken)
            )
        self.refresh()
        return taken

    def roles_of(self, login: str) -> tuple[Grant, ...]:
        """The grants that a user has, its groups' too; from memory."""
        return self.snapshot.grants.get(login, ())


def _limits(role: str, projects: Iterable[str], entities: Iterable[str], own: bool) -> dict[str, Any]:
    if role not in ROLES:
        raise WhodidError("invalid", f"There is no role {role[:50]!r}.", f"Roles: {', '.join(ROLES)}.", field="role")
    limits = {"projects": tuple(dict.fromkeys(projects)), "entities": tuple(dict.fromkeys(entities))}
    if role != "reader":
        if limits["projects"] or limits["entities"]:
            raise WhodidError(
                "invalid", f"{role} has no limits.", "Projects and entities are limits of a reader.", field="projects"
            )
        return limits | {"own": True}
    for name, values in limits.items():
        if len(values) > VALUES_MAX or not all(0 < len(value) <= VALUE_LENGTH_MAX for value in values):
            raise WhodidError(
                "invalid",
                f"{name} are at most {VALUES_MAX} of 1 to {VALUE_LENGTH_MAX:,} characters.",
                "Use a group.",
                field=name,
            )
    for entity in limits["entities"]:
        kind, colon, name = entity.partition(":")
        if not (kind and colon and name):
            raise WhodidError(
                "invalid", f"entity is {entity!r}.", "Write it as type:id, for example query:q-17.", field="entities"
            )
    if not (limits["projects"] or limits["entities"] or own):
        raise WhodidError(
            "invalid",
            "This reader would see nothing.",
            "Name projects or entities, or allow its own.",
            field="projects",
        )
    return limits | {"own": own}


def _entity(grant: Grant, whose: str) -> Entity:
    """The user or group of this id, as in the other events of it."""
    return Entity(type="group" if grant.user is None else "user", id=whose, name=grant.user or grant.group)


def _told(grant: Grant) -> dict[str, Any]:
    return {name: getattr(grant, name) for name in ("role", "user", "group", "projects", "entities", "own")}
