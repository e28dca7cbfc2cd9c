"""Groups: sets of users and of other groups. A user is in a group through its personal group."""

from __future__ import annotations

import uuid
from typing import Any, Final

from sqlalchemy import CTE, Connection, delete, func, insert, select, update

from whodid.directory import tables
from whodid.directory.database import touch
from whodid.directory.model import Group, Member
from whodid.directory.users import Users, is_uuid
from whodid.errors import WhodidError
from whodid.event import Entity

NAME_MAX: Final = 200


class Groups(Users):
    """The part of the directory that knows groups."""

    def create_group(
        self,
        name: str,
        *,
        friendly_name: str | None = None,
        description: str | None = None,
        id: str | None = None,
        by: str | None = None,
    ) -> Group:
        """Make an empty group; its name is its own among groups. Raises conflict, invalid."""
        if not 1 <= len(name) <= NAME_MAX:
            raise WhodidError(
                "invalid", f"A group's name has 1 to {NAME_MAX} characters.", "Name it after its people.", field="name"
            )
        group = Group(
            id=id or str(uuid.uuid4()), name=name, friendly_name=friendly_name or name, description=description
        )
        with self.writing() as connection:
            if self._find(connection, name) is not None:
                raise WhodidError("conflict", f"There is a group {name!r} already.", "Take another name.", field="name")
            connection.execute(insert(tables.groups).values({f: getattr(group, f) for f in group.__struct_fields__}))
            touch(connection)
            self.announce("group-created", entity_of(group), by=by, after=_told(group))
        return group

    def change_group(self, which: str, *, by: str | None = None, **fields: str | None) -> Group:
        """Give a group another `name`, `friendly_name` or `description`. Raises not_found, conflict, invalid."""
        if unknown := fields.keys() - {"name", "friendly_name", "description"}:
            raise WhodidError(
                "invalid", f"A group has no {sorted(unknown)[0]!r} to change.", "See: whodid group --help"
            )
        with self.writing() as connection:
            before = self._group(connection, which)
            refuse_personal(before)
            other = self._find(connection, fields["name"]) if fields.get("name") else None
            if other is not None and other.id != before.id:
                raise WhodidError(
                    "conflict", f"There is a group {other.name!r} already.", "Take another name.", field="name"
                )
            if fields:
                connection.execute(update(tables.groups).where(tables.groups.c.id == before.id).values(fields))
            after = self._group(connection, before.id)
            touch(connection)
            self.announce("group-changed", entity_of(after), by=by, before=_told(before), after=_told(after))
        return after

    def delete_group(self, which: str, *, by: str | None = None) -> None:
        """Take a group away; its members stay. Raises not_found, and invalid for a personal group."""
        relations = tables.groups_relations
        with self.writing() as connection:
            group = self._group(connection, which)
            refuse_personal(group)
            touching = (relations.c.parent_id == group.id) | (relations.c.child_id == group.id)
            connection.execute(delete(relations).where(touching))
            connection.execute(delete(tables.grants).where(tables.grants.c.group_id == group.id))
            connection.execute(delete(tables.groups).where(tables.groups.c.id == group.id))
            touch(connection)
            self.announce("group-deleted", entity_of(group), by=by, before=_told(group))

    def add_member(
        self,
        group: str,
        *,
        user: str | None = None,
        subgroup: str | None = None,
        is_admin: bool = False,
        by: str | None = None,
    ) -> None:
        """Put a user or another group into a group; again only changes `is_admin`.

        Raises WhodidError("invalid") when the group would come to lie within itself, WhodidError("not_found").
        """
        relations = tables.groups_relations
        with self.writing() as connection:
            if self.dialect == "postgresql":
                # Two nestings at once could close a circle that neither sees.
                connection.execute(select(func.pg_advisory_xact_lock(func.hashtext("whodid groups"))))
            parent, child = self._pair(connection, group, user, subgroup)
            # Read to its end: a cursor that stays open keeps SQLite at this moment, and writing fails.
            above = connection.execute(select(groups_above(parent.id).c.id)).scalars().all()
            if child.id in above:
                raise WhodidError(
                    "invalid",
                    f"{parent.name!r} lies within {child.name!r} already.",
                    "A group cannot contain itself.",
                    field="group",
                )
            put = self.insert(relations).values(parent_id=parent.id, child_id=child.id, is_admin=is_admin)
            connection.execute(
                put.on_conflict_do_update(index_elements=["parent_id", "child_id"], set_={"is_admin": is_admin})
            )
            touch(connection)
            self._announce_member(parent, child, by=by, after={"member": child.name, "is_admin": is_admin})

    def remove_member(
        self, group: str, *, user: str | None = None, subgroup: str | None = None, by: str | None = None
    ) -> None:
        """Take a direct member out of a group. Raises not_found."""
        relations = tables.groups_relations
        with self.writing() as connection:
            parent, child = self._pair(connection, group, user, subgroup)
            pair = (relations.c.parent_id == parent.id) & (relations.c.child_id == child.id)
            if not connection.execute(delete(relations).where(pair)).rowcount:
                raise WhodidError(
                    "not_found", f"{child.name!r} is no direct member of {parent.name!r}.", "See: whodid group show"
                )
            touch(connection)
            self._announce_member(parent, child, by=by, before={"member": child.name})

    def group(self, which: str) -> Group:
        """The group of this name or id. Raises not_found."""
        with self.reading() as connection:
            return self._group(connection, which)

    def groups(self, *, personal: bool = False) -> list[Group]:
        """Groups by name; with `personal` also those of single users."""
        found = select(tables.groups).order_by(tables.groups.c.name)
        if not personal:
            found = found.where(tables.groups.c.personal.is_not(True))
        with self.reading() as connection:
            return [group_of(row) for row in connection.execute(found)]

    def members(self, group: str) -> list[Member]:
        """The direct members of a group, by name."""
        relations, groups = tables.groups_relations, tables.groups
        with self.reading() as connection:
            parent = self._group(connection, group)
            found = (
                select(groups, relations.c.is_admin)
                .join(relations, relations.c.child_id == groups.c.id)
                .where(relations.c.parent_id == parent.id)
                .order_by(groups.c.name)
            )
            return [Member(group=group_of(row), is_admin=bool(row.is_admin)) for row in connection.execute(found)]

    def group_logins(self, group: str) -> list[str]:
        """Logins of all users of a group, through groups within it, their former logins too. Raises not_found."""
        users, former = tables.users.c, tables.former_logins.c
        with self.reading() as connection:
            below = _below(self._group(connection, group).id)
            members = users.group_id.in_(select(below.c.id))
            renamed = select(former.login).join(tables.users, users.id == former.user_id).where(members)
            return sorted(connection.execute(select(users.login).where(members).union(renamed)).scalars())

    def groups_of(self, user: str) -> list[Group]:
        """All groups that a user is in, directly or through others, by name. Raises not_found."""
        groups = tables.groups
        with self.reading() as connection:
            own = self._user(connection, user).group_id or ""
            above = groups_above(own)
            found = (
                select(groups).where(groups.c.id.in_(select(above.c.id)), groups.c.id != own).order_by(groups.c.name)
            )
            return [group_of(row) for row in connection.execute(found)]

    def _pair(self, connection: Connection, group: str, user: str | None, subgroup: str | None) -> tuple[Group, Group]:
        if (user is None) == (subgroup is None):
            raise WhodidError("invalid", "A member is a user or a group.", "Name one of them.", field="user")
        parent = self._group(connection, group)
        refuse_personal(parent)
        if user is None:
            return parent, self._group(connection, subgroup or "")
        return parent, self._group(connection, self._user(connection, user).group_id or "")

    def _group(self, connection: Connection, which: str) -> Group:
        found = self._find(connection, which)
        if found is None and is_uuid(which):
            row = connection.execute(select(tables.groups).where(tables.groups.c.id == which)).first()
            found = group_of(row) if row is not None else None
        if found is None:
            raise WhodidError("not_found", f"There is no group {which!r}.", "See: whodid group list", field="group")
        return found

    @staticmethod
    def _find(connection: Connection, name: str | None) -> Group | None:
        groups = tables.groups.c
        row = connection.execute(select(tables.groups).where(groups.name == name, groups.personal.is_not(True))).first()
        return group_of(row) if row is not None else None

    def _announce_member(self, parent: Group, child: Group, *, by: str | None, **change: dict[str, Any]) -> None:
        self.announce("group-changed", entity_of(parent), by=by, **change)


def _below(group_id: str) -> CTE:
    """The group and all groups within it, however deep."""
    return _walk(group_id, tables.groups_relations.c.parent_id, tables.groups_relations.c.child_id)


def groups_above(group_id: str) -> CTE:
    """The group and all groups that contain it, however deep."""
    return _walk(group_id, tables.groups_relations.c.child_id, tables.groups_relations.c.parent_id)


def _walk(group_id: str, source: Any, target: Any) -> CTE:
    found = select(tables.groups.c.id).where(tables.groups.c.id == group_id).cte("found", recursive=True)
    # UNION, not UNION ALL: it ends even if foreign SQL has made a circle.
    return found.union(select(target).join(found, source == found.c.id))


def group_of(row: Any) -> Group:
    """The Group of a row of `groups`."""
    return Group(
        id=row.id,
        name=row.name,
        friendly_name=row.friendly_name,
        personal=bool(row.personal),
        description=row.description,
    )


def refuse_personal(group: Group) -> None:
    """Raises invalid for the group of one user."""
    if group.personal:
        raise WhodidError("invalid", f"{group.name!r} is the group of one user.", "Change the user instead.")


def entity_of(group: Group) -> Entity:
    """A group as the entity of an event."""
    return Entity(type="group", id=group.id, name=group.name)


def _told(group: Group) -> dict[str, Any]:
    return {"name": group.name, "friendly_name": group.friendly_name, "description": group.description}
