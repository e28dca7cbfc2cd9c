"""Users as whoever provisions them sees them: made, changed and deactivated as a whole, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from msgspec import Struct, structs
from sqlalchemy import Connection, Select, delete, false, func, update

from whodid.directory import tables
from whodid.directory.database import now, touch
from whodid.directory.groups import Groups
from whodid.directory.model import User
from whodid.directory.users import (
    add_user,
    check_login,
    entity_of,
    is_uuid,
    note_change,
    refuse_other_case,
    select_users,
    told_of,
    user_of,
    user_uuid,
)
from whodid.errors import WhodidError

# What `people` can be looked up by at once.
LOOKED_UP: Final = ("id", "login", "external_id", "friendly_name", "email")


class Profile(Struct, kw_only=True, frozen=True):
    """What a user is to be. `fields` are of `users.FIELDS`; `attributes` is JSON that whodid keeps as it is."""

    login: str
    fields: Mapping[str, str | None]
    active: bool = True
    external_id: str | None = None
    attributes: Mapping[str, Any] = {}


class Person(Struct, kw_only=True, frozen=True):
    """A user that was made, with what else is known of it."""

    user: User
    attributes: Mapping[str, Any]
    changed_at: datetime | None


class People(Groups):
    """The part of the directory that provisions users."""

    def person(self, which: str) -> Person:
        """The user of this id that was made. Raises not_found, also for one that only events mention."""
        with self.reading() as connection:
            return _person(connection, which)

    def people(
        self, *, equal: Mapping[str, str] | None = None, after: str = "", limit: int = 1_000, offset: int = 0
    ) -> list[Person]:
        """Users that were made, by login.

        equal  what they are looked up by: columns of `LOOKED_UP`, in any case but for ids.
        after  only logins behind this one.
        """
        found = _made().where(tables.users.c.login > after) if after else _made()
        found = _equal(found, equal).order_by(tables.users.c.login).limit(limit).offset(offset)
        with self.reading() as connection:
            return [_person_of(row) for row in connection.execute(found)]

    def count_people(self, *, equal: Mapping[str, str] | None = None) -> int:
        """How many `people` there are."""
        found = _equal(_made(), equal).with_only_columns(func.count(), maintain_column_froms=True)
        with self.reading() as connection:
            return int(connection.execute(found).scalar_one())

    def make_person(self, profile: Profile, *, by: str | None = None) -> Person:
        """Make a user, or take one over that events mention, also under a login that differs in case.

        Raises WhodidError("conflict") when somebody made it already, WhodidError("invalid").
        """
        login = profile.login
        check_login(login)
        with self.writing() as connection:
            same = select_users().where(func.lower(tables.users.c.login) == login.lower())
            there = [user_of(row) for row in connection.execute(same)]
            if made := [user for user in there if user.made]:
                raise WhodidError("conflict", f"There is a user {made[0].login!r} already.", "Change it instead.")
            seen = next((user for user in there if user.login == login), there[0] if len(there) == 1 else None)
            if seen is None:
                user_id = user_uuid(login)
                add_user(self, connection, login, user_id, joined=now(), made=True)
            else:
                user_id, profile = seen.id, structs.replace(profile, login=seen.login)
                connection.execute(update(tables.users).where(tables.users.c.id == user_id).values(joined=now()))
            self._put(connection, user_id, profile)
            after = _person(connection, user_id)
            touch(connection, close_access=True)
            self.announce("user-created", entity_of(after.user), by=by, after=_told(after))
        self.refresh()
        return after

    def change_person(self, which: str, change: Callable[[Person], Profile], *, by: str | None = None) -> Person:
        """Give a user the profile that `change` makes of what it is, in one transaction; what it raises undoes all.

        Raises WhodidError("not_found"), WhodidError("conflict") for a login that somebody else has.
        """
        with self.writing() as connection:
            before = _person(connection, which, lock=True)
            profile = change(before)
            if _is(before, profile):
                return before
            if profile.login != before.user.login:
                self._rename(connection, before.user, profile.login)
            self._put(connection, which, profile)
            after = _person(connection, which)
            touch(connection)
            told = _told(before), _told(after)
            self.announce("user-changed", entity_of(after.user), by=by, before=told[0], after=told[1])
        self.refresh()
        self.forget_known()
        return after

    def set_active(self, login: str, active: bool, *, by: str | None = None) -> User:
        """Let a user in again, or shut it out: its browsers are signed out, its keys count for nothing."""
        with self.writing() as connection:
            before = self._user(connection, login)
            if before.active == active:
                return before
            note_change(connection, before.id, active=active)
            if not active:
                _sign_out(connection, before.login)
            after = self._user(connection, before.id)
            touch(connection)
            self.announce("user-changed", entity_of(after), by=by, before=told_of(before), after=told_of(after))
        self.refresh()
        return after

    def _put(self, connection: Connection, user_id: str, profile: Profile) -> None:
        self._change(connection, profile.login, dict(profile.fields))
        more = {"active": profile.active, "external_id": profile.external_id, "attributes": dict(profile.attributes)}
        note_change(connection, user_id, made=True, **more)
        if not profile.active:
            _sign_out(connection, profile.login)

    def _rename(self, connection: Connection, user: User, login: str) -> None:
        """Events of the former login still mean this user."""
        check_login(login)
        users, former = tables.users, tables.former_logins
        refuse_other_case(connection, login, but=user.id)
        row = connection.execute(select_users().where(users.c.login == login)).first()
        if row is not None and row.made:
            raise WhodidError("conflict", f"There is a user {login!r} already.", "Give one of them another login.")
        if row is not None:
            _merge(connection, user_of(row), user)
        connection.execute(update(users).where(users.c.id == user.id).values(login=login))
        connection.execute(update(tables.groups).where(tables.groups.c.id == user.group_id).values(name=login))
        for table in tables.OWN:
            if "user" in table.c:
                connection.execute(update(table).where(table.c.user == user.login).values(user=login))
        connection.execute(delete(former).where(former.c.login.in_((login, user.login))))
        connection.execute(former.insert().values(login=user.login, user_id=user.id, until=now()))

    def _refuse_inactive(self, connection: Connection, login: str) -> None:
        """Raises forbidden for a user that was deactivated."""
        row = connection.execute(select_users().where(tables.users.c.login == login)).first()
        if row is not None and row.active is False:
            raise WhodidError("forbidden", f"{login!r} was deactivated.", "An administrator may activate it again.")


def _merge(connection: Connection, seen: User, into: User) -> None:
    """What events told of `seen`, who was never made, belongs to `into`."""
    sessions, relations, known = tables.users_sessions, tables.groups_relations, tables.known_users
    connection.execute(update(sessions).where(sessions.c.user_id == seen.id).values(user_id=into.id))
    connection.execute(delete(relations).where(relations.c.child_id == seen.group_id))
    connection.execute(delete(tables.groups).where(tables.groups.c.id == seen.group_id))
    connection.execute(delete(known).where(known.c.user_id == seen.id))
    connection.execute(delete(tables.users).where(tables.users.c.id == seen.id))
    firsts = [at for at in (seen.first_seen, into.first_seen) if at is not None]
    lasts = [at for at in (seen.last_seen, into.last_seen) if at is not None]
    span = {"first_seen": min(firsts, default=None), "last_seen": max(lasts, default=None)}
    connection.execute(update(known).where(known.c.user_id == into.id).values(span))


def _sign_out(connection: Connection, login: str) -> None:
    for table in (tables.browser_sessions, tables.sign_in_tokens):
        connection.execute(delete(table).where(table.c.user == login))


def _made() -> Select[Any]:
    return select_users().where(tables.known_users.c.made.is_(True))


def _equal(found: Select[Any], equal: Mapping[str, str] | None) -> Select[Any]:
    for name, value in (equal or {}).items():
        if name == "external_id":
            found = found.where(tables.known_users.c.external_id == value)
        elif name == "id":
            found = found.where(tables.users.c.id == value if is_uuid(value) else false())
        else:
            found = found.where(func.lower(tables.users.c[name]) == value.lower())
    return found


def _person(connection: Connection, user_id: str, *, lock: bool = False) -> Person:
    found = _made().where(tables.users.c.id == user_id)
    if lock:
        found = found.with_for_update(of=tables.users)
    row = connection.execute(found).first() if is_uuid(user_id) else None
    if row is None:
        raise WhodidError("not_found", f"There is no user {user_id[:200]!r}.", "See: whodid user list")
    return _person_of(row)


def _person_of(row: Any) -> Person:
    return Person(user=user_of(row), attributes=row.attributes or {}, changed_at=row.changed_at or row.joined)


def _is(person: Person, profile: Profile) -> bool:
    """Whether a user is as the profile says already."""
    user, told = person.user, (profile.login, profile.active, profile.external_id, profile.attributes)
    same = all(getattr(user, name) == value for name, value in profile.fields.items())
    return same and (user.login, user.active, user.external_id, person.attributes) == told


def _told(person: Person) -> dict[str, Any]:
    return told_of(person.user) | ({"attributes": person.attributes} if person.attributes else {})
