"""Users: made by an administrator, or known because events mention them. Each has a group of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Connection, Select, delete, func, or_, select, update

from whodid.directory import tables
from whodid.directory.database import now, touch
from whodid.directory.model import User
from whodid.directory.snapshot import Watched
from whodid.errors import WhodidError
from whodid.event import PROGRAM_PREFIXES, Entity, entity_uuid, is_program

LOGIN_MAX: Final = 200

# What an administrator may change; the rest is whodid's own.
FIELDS: Final = ("name", "first_name", "last_name", "friendly_name", "email", "picture")


class Users(Watched):
    """The part of the directory that knows users."""

    def create_user(self, login: str, *, id: str | None = None, by: str | None = None, **fields: str | None) -> User:
        """Make a user, or take one over that appeared by itself. The first one ends access without a key.

        login    1 to 200 characters, as events name it.
        id       a UUID; by default the UUID v5 of the login.
        fields   of `FIELDS`.
        Raises   WhodidError("conflict") when somebody made it already, WhodidError("invalid").
        """
        values = _checked(fields)
        check_login(login)
        with self.writing() as connection:
            found = connection.execute(select_users().where(tables.users.c.login == login)).first()
            if found is not None and found.made:
                raise WhodidError(
                    "conflict", f"There is a user {login!r} already.", "Change it instead.", field="login"
                )
            refuse_other_case(connection, login)
            if found is None:
                add_user(self, connection, login, id or user_uuid(login), joined=now(), made=True)
            else:
                _refuse_other_id(login, found.id, id)
                known = tables.known_users
                connection.execute(update(known).where(known.c.user_id == found.id).values(made=True))
                connection.execute(update(tables.users).where(tables.users.c.id == found.id).values(joined=now()))
            user = self._change(connection, login, values)
            touch(connection, close_access=True)
            self.announce("user-created", entity_of(user), by=by, after=told_of(user))
        self.refresh()
        return user

    def change_user(self, login: str, *, by: str | None = None, **fields: str | None) -> User:
        """Give a user other `FIELDS`. Raises not_found, invalid."""
        values = _checked(fields)
        with self.writing() as connection:
            before = self._user(connection, login)
            after = self._change(connection, login, values)
            note_change(connection, after.id)
            touch(connection)
            self.announce("user-changed", entity_of(after), by=by, before=told_of(before), after=told_of(after))
        self.refresh()
        return after

    def delete_user(self, which: str, *, by: str | None = None) -> None:
        """Take a user away, with its group, keys and browsers. Its events stay; a new one brings it back."""
        with self.writing() as connection:
            user = self._user(connection, which)
            relations, keys, browsers = tables.groups_relations.c, tables.keys, tables.browser_sessions
            connection.execute(
                delete(tables.groups_relations).where(
                    or_(relations.parent_id == user.group_id, relations.child_id == user.group_id)
                )
            )
            connection.execute(delete(tables.groups).where(tables.groups.c.id == user.group_id))
            connection.execute(delete(tables.known_users).where(tables.known_users.c.user_id == user.id))
            connection.execute(delete(tables.former_logins).where(tables.former_logins.c.user_id == user.id))
            connection.execute(delete(tables.users).where(tables.users.c.id == user.id))
            valid = (keys.c.user == user.login) & keys.c.revoked_at.is_(None)
            connection.execute(update(keys).where(valid).values(revoked_at=now()))
            connection.execute(delete(browsers).where(browsers.c.user == user.login))
            connection.execute(delete(tables.sign_in_tokens).where(tables.sign_in_tokens.c.user == user.login))
            for table in (tables.passwords, tables.identities, tables.grants):
                connection.execute(delete(table).where(table.c.user_id == user.id))
            touch(connection)
            self.announce("user-deleted", entity_of(user), by=by, before=told_of(user))
        self.refresh()

    def user(self, which: str) -> User:
        """The user of this login or id. Raises not_found."""
        with self.reading() as connection:
            return self._user(connection, which)

    def users(
        self,
        *,
        text: str | None = None,
        made: bool | None = None,
        with_roles: bool = False,
        limit: int = 1_000,
        offset: int = 0,
    ) -> list[User]:
        """Users by login; `text` is looked for in login, names and e-mail. `made` True for those that somebody or an
        identity provider made, False for those that only events mention, None for all. `with_roles` counts whoever has
        a role of their own as made."""
        columns = tables.users.c
        found = select_users().order_by(columns.login).limit(limit).offset(offset)
        if made is not None:
            accounts: Any = select(tables.known_users.c.user_id).where(tables.known_users.c.made.is_(True))
            if with_roles:
                roles = tables.grants.c.user_id
                accounts = accounts.union(select(roles).where(roles.is_not(None)))
            found = found.where(columns.id.in_(accounts) if made else columns.id.not_in(accounts))
        if text:
            names = (columns.name, columns.first_name, columns.last_name, columns.friendly_name)
            fields = (columns.login, *names, columns.email)
            found = found.where(or_(*(field.icontains(text, autoescape=True) for field in fields)))
        with self.reading() as connection:
            return [user_of(row) for row in connection.execute(found)]

    def unknown_logins(self, logins: Iterable[str]) -> list[str]:
        """Those of some logins that nobody has or had: no one made such a user, and no event named one."""
        wanted, users, former = sorted(set(logins)), tables.users.c, tables.former_logins.c
        found = select(users.login).where(users.login.in_(wanted))
        with self.reading() as connection:
            known = set(connection.execute(found.union(select(former.login).where(former.login.in_(wanted)))).scalars())
        return [login for login in wanted if login not in known]

    def _user(self, connection: Connection, which: str) -> User:
        row = connection.execute(select_users().where(tables.users.c.login == which)).first()
        if row is None and is_uuid(which):
            row = connection.execute(select_users().where(tables.users.c.id == which)).first()
        if row is None:
            raise WhodidError("not_found", f"There is no user {which!r}.", "See: whodid user list", field="user")
        return user_of(row)

    def _change(self, connection: Connection, login: str, values: dict[str, str | None]) -> User:
        user = self._user(connection, login)
        if values:
            connection.execute(update(tables.users).where(tables.users.c.id == user.id).values(values))
        if "friendly_name" in values:
            group = tables.groups
            shown = values["friendly_name"] or login
            connection.execute(update(group).where(group.c.id == user.group_id).values(friendly_name=shown))
        return self._user(connection, login)


def add_user(directory: Watched, connection: Connection, login: str, user_id: str, *, joined: Any, made: bool) -> None:
    """Add a user and its personal group; who is there already stays as it is."""
    group_id = personal_group_uuid(login)
    rows: tuple[tuple[Any, dict[str, Any]], ...] = (
        (tables.groups, {"id": group_id, "name": login, "friendly_name": login, "personal": True}),
        (
            tables.users,
            {
                "id": user_id,
                "login": login,
                "name": login,
                "friendly_name": login,
                "joined": joined,
                "group_id": group_id,
            },
        ),
        (tables.known_users, {"user_id": user_id, "made": made}),
    )
    for table, row in rows:
        connection.execute(directory.insert(table).values(row).on_conflict_do_nothing())


def note_change(connection: Connection, user_id: str, **details: Any) -> None:
    """Keep when a user was changed, and more that is known of it."""
    known = tables.known_users
    values = {"changed_at": now(), **details}
    if not connection.execute(update(known).where(known.c.user_id == user_id).values(values)).rowcount:
        connection.execute(known.insert().values(user_id=user_id, made=False, **values))


def refuse_other_case(connection: Connection, login: str, but: str | None = None) -> None:
    """Raises conflict when somebody other than the user `but` (an id) was made whose login differs only in case."""
    columns, known = tables.users.c, tables.known_users.c
    same = (func.lower(columns.login) == login.lower()) & (columns.login != login) & (known.made.is_(True))
    for row in connection.execute(select_users().where(same)):
        if row.id != but:
            raise WhodidError(
                "conflict",
                f"There is a user {row.login!r} already, who differs only in case.",
                "Change it instead.",
                field="login",
            )


def check_login(login: str) -> None:
    """Raises invalid for a login that nobody can be given; that of a program is known by events alone."""
    if not 1 <= len(login) <= LOGIN_MAX:
        raise WhodidError(
            "invalid", f"A login has 1 to {LOGIN_MAX} characters.", "Give it as events name it.", field="login"
        )
    if is_program(login):
        raise WhodidError(
            "invalid",
            f"{login!r} is the login of a program: reports would not count who has it as a person.",
            f"Choose one that does not begin with {' or '.join(PROGRAM_PREFIXES)}; programs get a key.",
            field="login",
        )


def user_uuid(login: str) -> str:
    """The id of a user that nobody gave another one."""
    return str(entity_uuid("user", login))


def personal_group_uuid(login: str) -> str:
    """The id of the group that holds only this user."""
    return str(entity_uuid("personal-group", f"user:{login}"))


def user_of(row: Any) -> User:
    """The User of a row of users and known_users."""
    fields = {name: getattr(row, name) for name in User.__struct_fields__}
    return User(**fields | {"made": bool(row.made), "active": row.active is not False})


def is_uuid(text: str) -> bool:
    """Whether `text` may be compared with a uuid column."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def select_users() -> Select[Any]:
    """Users with what is known of them: rows for `user_of`."""
    users, known = tables.users, tables.known_users
    columns = (column for column in known.c if column.name != "user_id")
    return select(users, *columns).join(known, known.c.user_id == users.c.id, isouter=True)


def _checked(fields: dict[str, str | None]) -> dict[str, str | None]:
    if unknown := fields.keys() - set(FIELDS):
        raise WhodidError("invalid", f"A user has no {sorted(unknown)[0]!r} to change.", f"It has {', '.join(FIELDS)}.")
    return fields


def _refuse_other_id(login: str, known: str, given: str | None) -> None:
    if given is not None and given.lower() != known:
        raise WhodidError(
            "conflict",
            f"Events know {login!r} as {known} already.",
            "Leave the id out, or take another login.",
            field="login",
        )


def entity_of(user: User) -> Entity:
    """A user as the entity of an event."""
    return Entity(type="user", id=user.id, name=user.login)


def told_of(user: User) -> dict[str, Any]:
    """What the event of a change says of a user."""
    return {name: getattr(user, name) for name in ("login", *FIELDS, "active", "external_id")}
