"""Users as an identity provider knows them: by issuer and subject, which never change, and with the groups it names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from whodid.directory import tables
from whodid.directory.database import now
from whodid.directory.groups import NAME_MAX as GROUP_NAME_MAX
from whodid.directory.groups import Groups
from whodid.directory.model import User
from whodid.errors import WhodidError

BY: Final = "identity provider"
GROUPS_MAX: Final = 200


class Identities(Groups):
    """The part of the directory that knows what identity providers say."""

    def identified(
        self, issuer: str, subject: str, *, login: str, groups: Iterable[str] | None = None, **fields: str | None
    ) -> User:
        """The user that a provider vouches for: the one it was the first time, else that of `login`, made if need be.

        login   used the first time only: names can be changed at providers, subjects cannot.
        groups  names of the groups it is in: joined, made if need be; those that the provider names no more are left,
                others stay. None when the provider says nothing of groups.
        fields  of `users.FIELDS`; what is given is taken over.
        Raises  WhodidError("conflict") when the login belongs to somebody who signs in another way.
        """
        known = self._identity(issuer, subject)
        if known is None:
            self._first_time(login, issuer, subject)
            known = self._identity(issuer, subject)
        assert known is not None, "it was inserted or somebody else did"
        user = self.user(known.user_id)
        changed = {name: value for name, value in fields.items() if value and value != getattr(user, name)}
        if changed:
            user = self.change_user(user.login, by=BY, **changed)
        named = sorted(_usable(groups)) if groups is not None else list(known.groups)
        if named != list(known.groups):
            self._join(user.login, set(named), set(known.groups))
        identities = tables.identities
        with self.writing() as connection:
            this = (identities.c.issuer == issuer) & (identities.c.subject == subject)
            connection.execute(update(identities).where(this).values(groups=named, last_seen_at=now()))
        return user

    def _identity(self, issuer: str, subject: str) -> Any:
        identities = tables.identities
        wanted = select(identities).where(identities.c.issuer == issuer, identities.c.subject == subject)
        with self.reading() as connection:
            return connection.execute(wanted).first()

    def _first_time(self, login: str, issuer: str, subject: str) -> None:
        try:
            user = self.user(login)
        except WhodidError as error:
            if error.code != "not_found":
                raise
            user = None
        if user is None or not user.made:
            user = self.create_user(login, by=BY)
        at = now()
        with self.writing() as connection:
            if _signs_in_otherwise(connection, user):
                raise WhodidError(
                    "conflict",
                    f"{login!r} signs in another way already.",
                    "An administrator can take its password away, or give the provider's user another login.",
                )
            fields = {"issuer": issuer, "subject": subject, "user_id": user.id, "groups": []}
            connection.execute(insert(tables.identities).values(**fields, created_at=at, last_seen_at=at))

    def _join(self, login: str, named: set[str], before: set[str]) -> None:
        for name in sorted(named - before):
            try:
                self.group(name)
            except WhodidError as error:
                if error.code != "not_found":
                    raise
                self.create_group(name, by=BY)
            self.add_member(name, user=login, by=BY)
        for name in sorted(before - named):
            try:
                self.remove_member(name, user=login, by=BY)
            except WhodidError as error:
                if error.code != "not_found":
                    raise


def _signs_in_otherwise(connection: Connection, user: User) -> bool:
    both = (tables.passwords, tables.identities)
    ways = (select(table.c.user_id).where(table.c.user_id == user.id) for table in both)
    return any(connection.execute(way.limit(1)).first() is not None for way in ways)


def _usable(groups: Iterable[str]) -> set[str]:
    named = {name.strip().lstrip("/") for name in groups if isinstance(name, str)}
    return set(sorted(name for name in named if 1 <= len(name) <= GROUP_NAME_MAX)[:GROUPS_MAX])
