"""Groups as whoever provisions them sees them: name and all members at once, in one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Literal

from msgspec import Struct
from sqlalchemy import Connection, Select, delete, false, func, insert, select, update

from whodid.directory import tables
from whodid.directory.database import now, touch
from whodid.directory.groups import NAME_MAX, entity_of, group_of, groups_above
from whodid.directory.model import Group
from whodid.directory.people import People
from whodid.directory.users import is_uuid
from whodid.errors import WhodidError

# Parameters of one statement, and members told in one event.
CHUNK: Final = 500
TOLD: Final = 1_000


class MemberOf(Struct, kw_only=True, frozen=True):
    """A direct member of a group: a user or a group, by its id."""

    id: str
    kind: Literal["user", "group"]
    name: str
    group_id: str


class GroupProfile(Struct, kw_only=True, frozen=True):
    """What a group is to be. `members` are ids of users and groups; None leaves them as they are."""

    name: str
    external_id: str | None = None
    members: tuple[str, ...] | None = None


class GroupRecord(Struct, kw_only=True, frozen=True):
    """A group with its members (none where they were not asked for)."""

    group: Group
    external_id: str | None
    created_at: datetime | None
    changed_at: datetime | None
    members: tuple[MemberOf, ...] = ()


class Provisioning(People):
    """The part of the directory that provisions groups."""

    def group_record(self, group_id: str, *, members: bool = True) -> GroupRecord:
        """The group of this id. Raises not_found, also for the group of one user."""
        with self.reading() as connection:
            return _record(connection, group_id, members=members)

    def group_records(
        self, *, equal: Mapping[str, str] | None = None, members: bool = True, limit: int = 1_000, offset: int = 0
    ) -> list[GroupRecord]:
        """Groups by name; `equal` looks them up by id, name (in any case), or external_id."""
        found = _equal(_groups(), equal).order_by(tables.groups.c.name, tables.groups.c.id).limit(limit).offset(offset)
        with self.reading() as connection:
            return [
                _record_of(row, _members(connection, row.id) if members else ()) for row in connection.execute(found)
            ]

    def count_group_records(self, *, equal: Mapping[str, str] | None = None) -> int:
        """How many `group_records` there are."""
        found = _equal(_groups(), equal).with_only_columns(func.count(), maintain_column_froms=True)
        with self.reading() as connection:
            return int(connection.execute(found).scalar_one())

    def groups_by_user(self, user_ids: list[str]) -> dict[str, list[Group]]:
        """The groups that users, by their ids, are in by themselves; by name."""
        relations, groups, users = tables.groups_relations.c, tables.groups, tables.users.c
        found: dict[str, list[Group]] = {}
        with self.reading() as connection:
            for chunk in _chunks(user_ids, CHUNK):
                joined = (
                    select(groups, users.id.label("user_id"))
                    .join(tables.groups_relations, relations.parent_id == groups.c.id)
                    .join(tables.users, users.group_id == relations.child_id)
                    .where(users.id.in_(chunk))
                )
                for row in connection.execute(joined.order_by(groups.c.name)):
                    found.setdefault(row.user_id, []).append(group_of(row))
        return found

    def make_group_record(self, profile: GroupProfile, *, by: str | None = None) -> GroupRecord:
        """Make a group with its members. Raises conflict for a name that is taken in any case, invalid."""
        group = Group(id=str(uuid.uuid4()), name=_checked(profile.name), friendly_name=profile.name)
        with self.writing() as connection:
            _refuse_taken(connection, group.name)
            values = {field: getattr(group, field) for field in group.__struct_fields__}
            connection.execute(insert(tables.groups).values(values))
            at = now()
            known = {"group_id": group.id, "external_id": profile.external_id, "created_at": at, "changed_at": at}
            connection.execute(insert(tables.known_groups).values(known))
            self._put_members(connection, group, (), profile.members or (), by=by, made=True)
            touch(connection)
            return _record(connection, group.id)

    def change_group_record(
        self, group_id: str, change: Callable[[GroupRecord], GroupProfile], *, by: str | None = None
    ) -> GroupRecord:
        """Give a group the profile that `change` makes of what it is, in one transaction; what it raises undoes all.

        Raises WhodidError("not_found"), WhodidError("conflict") for a name that another group has,
        WhodidError("invalid") for a member that is not there, or that the group lies within.
        """
        with self.writing() as connection:
            if self.dialect == "postgresql":
                # Two nestings at once could close a circle that neither sees.
                connection.execute(select(func.pg_advisory_xact_lock(func.hashtext("whodid groups"))))
            before = _record(connection, group_id)
            profile = change(before)
            self._rename_group(connection, before, profile, by=by)
            if profile.members is not None:
                self._put_members(connection, before.group, before.members, profile.members, by=by)
            touch(connection)
            return _record(connection, group_id)

    def _rename_group(
        self, connection: Connection, before: GroupRecord, profile: GroupProfile, *, by: str | None
    ) -> None:
        known = {"external_id": profile.external_id, "changed_at": now()}
        put = self.insert(tables.known_groups).values(group_id=before.group.id, **known)
        connection.execute(put.on_conflict_do_update(index_elements=["group_id"], set_=known))
        changed = (profile.name, profile.external_id) != (before.group.name, before.external_id)
        if profile.name != before.group.name:
            _refuse_taken(connection, _checked(profile.name), but=before.group.id)
            names = {"name": profile.name, "friendly_name": profile.name}
            connection.execute(update(tables.groups).where(tables.groups.c.id == before.group.id).values(names))
        if changed:
            entity = entity_of(before.group)
            told = {"name": before.group.name, "external_id": before.external_id}
            self.announce(
                "group-changed",
                entity,
                by=by,
                before=told,
                after={"name": profile.name, "external_id": profile.external_id},
            )

    def _put_members(
        self,
        connection: Connection,
        group: Group,
        there: Iterable[MemberOf],
        wanted: Iterable[str],
        *,
        by: str | None,
        made: bool = False,
    ) -> None:
        before, ids = {member.id: member for member in there}, dict.fromkeys(wanted)
        added = _resolve(connection, [identifier for identifier in ids if identifier not in before])
        removed = [member for identifier, member in before.items() if identifier not in ids]
        _refuse_circle(connection, group, added)
        relations = tables.groups_relations
        for chunk in _chunks([member.group_id for member in removed], CHUNK):
            pairs = (relations.c.parent_id == group.id) & relations.c.child_id.in_(chunk)
            connection.execute(delete(relations).where(pairs))
        if added:
            rows = [{"parent_id": group.id, "child_id": member.group_id, "is_admin": False} for member in added]
            connection.execute(self.insert(relations).on_conflict_do_nothing(), rows)
        if made:
            self.announce("group-created", entity_of(group), by=by, after={"name": group.name})
        entity = entity_of(group)
        for part in _chunks([member.name for member in removed], TOLD):
            self.announce("group-changed", entity, by=by, before={"members": part}, after={"members": []})
        for part in _chunks([member.name for member in added], TOLD):
            self.announce("group-changed", entity, by=by, before={"members": []}, after={"members": part})


def _groups() -> Select[Any]:
    groups, known = tables.groups, tables.known_groups.c
    more = (known.external_id, known.created_at, known.changed_at)
    found = select(groups, *more).join(tables.known_groups, known.group_id == groups.c.id, isouter=True)
    return found.where(groups.c.personal.is_not(True))


def _equal(found: Select[Any], equal: Mapping[str, str] | None) -> Select[Any]:
    for name, value in (equal or {}).items():
        if name == "external_id":
            found = found.where(tables.known_groups.c.external_id == value)
        elif name == "id":
            found = found.where(tables.groups.c.id == value if is_uuid(value) else false())
        else:
            found = found.where(func.lower(tables.groups.c[name]) == value.lower())
    return found


def _record(connection: Connection, group_id: str, *, members: bool = True) -> GroupRecord:
    row = connection.execute(_groups().where(tables.groups.c.id == group_id)).first() if is_uuid(group_id) else None
    if row is None:
        raise WhodidError("not_found", f"There is no group {group_id[:200]!r}.", "See: whodid group list")
    return _record_of(row, _members(connection, group_id) if members else ())


def _record_of(row: Any, members: tuple[MemberOf, ...]) -> GroupRecord:
    return GroupRecord(
        group=group_of(row),
        external_id=row.external_id,
        created_at=row.created_at,
        changed_at=row.changed_at,
        members=members,
    )


def _members(connection: Connection, group_id: str) -> tuple[MemberOf, ...]:
    relations, groups = tables.groups_relations.c, tables.groups
    found = _with_users(select(groups)).join(tables.groups_relations, relations.child_id == groups.c.id)
    found = found.where(relations.parent_id == group_id).order_by(groups.c.name, groups.c.id)
    return tuple(filter(None, map(_member_of, connection.execute(found))))


def _with_users(found: Select[Any]) -> Select[Any]:
    groups, users = tables.groups.c, tables.users
    found = found.add_columns(users.c.id.label("user_id"), users.c.login)
    return found.join(users, (users.c.group_id == groups.id) & groups.personal.is_(True), isouter=True)


def _member_of(row: Any) -> MemberOf | None:
    if not row.personal:
        return MemberOf(id=row.id, kind="group", name=row.name, group_id=row.id)
    return row.user_id and MemberOf(id=row.user_id, kind="user", name=row.login, group_id=row.id)


def _resolve(connection: Connection, ids: list[str]) -> list[MemberOf]:
    """The users and groups of these ids. Raises invalid, naming those that are not there."""
    groups, users = tables.groups.c, tables.users.c
    found: dict[str, MemberOf] = {}
    known = [identifier for identifier in ids if is_uuid(identifier)]
    for chunk in _chunks(known, CHUNK):
        is_one = users.id.in_(chunk) | (groups.id.in_(chunk) & groups.personal.is_not(True))
        for row in connection.execute(_with_users(select(tables.groups)).where(is_one)):
            if (member := _member_of(row)) is not None:
                found[member.id] = member
    if missing := [identifier for identifier in ids if identifier not in found]:
        told = ", ".join(identifier[:50] for identifier in missing[:5])
        raise WhodidError("invalid", f"There is no user or group {told}.", "Members are known by their ids.")
    return list(found.values())


def _refuse_circle(connection: Connection, group: Group, added: Iterable[MemberOf]) -> None:
    nested = [member for member in added if member.kind == "group"]
    if not nested:
        return
    above = set(connection.execute(select(groups_above(group.id).c.id)).scalars())
    for member in nested:
        if member.group_id in above:
            raise WhodidError(
                "invalid", f"{group.name!r} lies within {member.name!r} already.", "A group cannot contain itself."
            )


def _refuse_taken(connection: Connection, name: str, but: str | None = None) -> None:
    for row in connection.execute(_equal(_groups(), {"name": name})):
        if row.id != but:
            raise WhodidError("conflict", f"There is a group {row.name!r} already.", "Take another name.")


def _checked(name: str) -> str:
    if not 1 <= len(name) <= NAME_MAX:
        raise WhodidError("invalid", f"A group's name has 1 to {NAME_MAX} characters.", "Name it after its people.")
    return name


def _chunks(values: list[str], size: int) -> Iterable[list[str]]:
    return (values[start : start + size] for start in range(0, len(values), size))
