"""Connections: places with credentials, and a list of who may use them. By default that is administrators only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from whodid.directory import Directory
from whodid.directory.sealed import Sealer, hidden, is_sealed
from whodid.errors import WhodidError, about
from whodid.places import Place, kind_of, open_place
from whodid.places.base import Kind, checked

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SETTING: Final = "connection/"


class Connection(Struct, kw_only=True, frozen=True):
    """A place by name. `options` hold secrets encrypted; `users` and `groups` are who may use it besides admins."""

    name: str
    kind: str
    options: dict[str, str]
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    description: str | None = None

    def shown(self) -> dict[str, Any]:
        """What may be shown of it: secrets are `***`."""
        return {
            "name": self.name,
            "kind": self.kind,
            "options": hidden(self.options),
            "users": list(self.users),
            "groups": list(self.groups),
            "description": self.description,
        }


class Connections:
    """The connections of a directory. Every change is an event with before and after; secrets do not show in it."""

    def __init__(self, directory: Directory, sealer: Sealer):
        self._directory = directory
        self._sealer = sealer

    def all(self) -> list[Connection]:
        """All connections by name."""
        found = self._directory.snapshot.settings
        return [_read(found[name]) for name in sorted(found) if name.startswith(_SETTING)]

    def get(self, name: str) -> Connection:
        """The connection of this name; raises WhodidError("not_found") when there is none."""
        value = self._directory.setting(_SETTING + name)
        if value is None:
            known = ", ".join(connection.name for connection in self.all()) or "none yet"
            raise WhodidError(
                "not_found", f"There is no connection {name[:100]!r}.", f"There are: {known}.", field="connection"
            )
        return _read(value)

    def create(self, connection: Connection, *, by: str | None = None) -> Connection:
        """Keep a connection, its secrets encrypted.

        Raises
        ------
        WhodidError("invalid")
            The name, kind, an option, a user or a group is not good; the message says which.
        WhodidError("conflict")
            There is one of this name.
        """
        check_name("connection", connection.name)
        return self._keep(connection, {}, by=by, expected_version=0)

    def change(self, name: str, changes: Mapping[str, Any], *, by: str | None = None) -> Connection:
        """Change what is named in `changes`: options one by one (an empty one is taken away), users, groups, text."""
        before = self.get(name)
        options = {**before.options, **(changes.get("options") or {})}
        after = Connection(
            name=name,
            kind=before.kind,
            options={option: value for option, value in options.items() if value != ""},
            users=tuple(changes.get("users", before.users)),
            groups=tuple(changes.get("groups", before.groups)),
            description=changes.get("description", before.description),
        )
        return self._keep(after, before.options, by=by)

    def delete(self, name: str, *, by: str | None = None) -> None:
        """Forget a connection; the files stay where they are. Datasets of it can be read no more."""
        self.get(name)
        self._directory.change_setting(_SETTING + name, None, by=by)

    def open(self, name: str) -> Place:
        """The place of a connection, with its secrets. Raises as `places.open_place` and `Sealer.unseal`."""
        return open_place(self.get(name).kind, self.unsealed(name))

    def unsealed(self, name: str) -> dict[str, str]:
        """The options of a connection with its secrets as they are: for what works with them, never for showing."""
        return {
            option: self._sealer.unseal(value, _place(name, option)) if is_sealed(value) else value
            for option, value in self.get(name).options.items()
        }

    def may_use(self, name: str, user: str | None, *, is_admin: bool) -> bool:
        """Whether somebody may use a connection: administrators, its users, and members of its groups."""
        if is_admin:
            return True
        connection = self.get(name)
        if user is None:
            return False
        return user in connection.users or any(user in self._logins(group) for group in connection.groups)

    def require_use(self, name: str, user: str | None, *, is_admin: bool) -> None:
        """Raises WhodidError("forbidden") unless `may_use`."""
        if not self.may_use(name, user, is_admin=is_admin):
            raise WhodidError(
                "forbidden",
                f"You may not use the connection {name!r}.",
                "An administrator can let you: whodid connection allow NAME --user LOGIN",
            )

    def _logins(self, group: str) -> Sequence[str]:
        """Who is in a group; nobody when an identity provider has deleted it."""
        try:
            return self._directory.group_logins(group)
        except WhodidError as error:
            if error.code != "not_found":
                raise
            return ()

    def _keep(
        self, given: Connection, before: Mapping[str, str], *, by: str | None, expected_version: int | None = None
    ) -> Connection:
        kind = kind_of(given.kind)
        self._check_people(given)
        options = {name: given.options[name] for name in given.options}
        checked(kind, {name: "sealed" if is_sealed(value) else value for name, value in options.items()})
        sealed = Connection(
            name=given.name,
            kind=kind.name,
            options={name: self._sealed(given.name, kind, name, value, before) for name, value in options.items()},
            users=given.users,
            groups=given.groups,
            description=given.description,
        )
        if expected_version == 0 and self._directory.setting(_SETTING + given.name) is not None:
            raise WhodidError(
                "conflict", f"There is a connection {given.name!r} already.", "Change or delete it.", field="name"
            )
        self._directory.change_setting(_SETTING + given.name, _written(sealed), by=by)
        return sealed

    def _sealed(self, name: str, kind: Kind, option: str, value: str, before: Mapping[str, str]) -> str:
        is_secret = any(row.name == option and row.secret for row in kind.options)
        if not is_secret or value == before.get(option):
            return value
        if is_sealed(value):
            raise WhodidError("invalid", f"The option {option} is given encrypted.", "Give it as it is.", field=option)
        return self._sealer.seal(value, _place(name, option))

    def _check_people(self, connection: Connection) -> None:
        for login in connection.users:
            with about("users"):
                self._directory.user(login)
        for group in connection.groups:
            with about("groups"):
                self._directory.group(group)


def check_name(what: str, name: str) -> None:
    """Raises WhodidError("invalid") unless `name` may be the name of a connection or a dataset."""
    if not NAME.fullmatch(name):
        raise WhodidError(
            "invalid",
            f"{name[:100]!r} cannot be the name of a {what}.",
            "Use letters, digits, . _ and -, at most 100, beginning with a letter or digit.",
            field="name",
        )


def _place(name: str, option: str) -> str:
    return f"{_SETTING}{name}/{option}"


def _written(connection: Connection) -> dict[str, Any]:
    return {
        "name": connection.name,
        "kind": connection.kind,
        "options": connection.options,
        "users": list(connection.users),
        "groups": list(connection.groups),
        "description": connection.description,
    }


def _read(value: Mapping[str, Any]) -> Connection:
    names: Sequence[str] = Connection.__struct_fields__
    taken = {name: value[name] for name in names if name in value}
    taken["users"], taken["groups"] = tuple(taken.get("users", ())), tuple(taken.get("groups", ()))
    return Connection(**taken)
