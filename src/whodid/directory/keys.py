"""Keys: what programs show to write, read or administer."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import insert, or_, select, update

from whodid.directory import tables
from whodid.directory.database import now, touch
from whodid.directory.model import SCOPES, Key
from whodid.directory.secret import SHOWN, digest, new_secret
from whodid.directory.snapshot import Watched, key_of
from whodid.directory.users import is_uuid
from whodid.errors import WhodidError
from whodid.event import Entity

NAME_MAX = 200


class Keys(Watched):
    """The part of the directory that knows keys."""

    def create_key(
        self,
        name: str,
        scopes: Iterable[str],
        topics: Iterable[str] = (),
        nodes: Iterable[str] = (),
        routing_keys: Iterable[str] = (),
        user: str | None = None,
        expires_at: datetime | None = None,
        *,
        node_type: str | None = None,
        by: str | None = None,
    ) -> tuple[Key, str]:
        """Make a key. The first one ends access without a key.

        name          for people, 1 to 200 characters; no two valid keys share one.
        scopes        of write, read, admin, or scim alone; admin includes the others.
        topics, nodes, routing_keys
                      what the key may write; empty: anything. A key of one node sets the node of its events.
        user          login of the person whose key it is.
        node_type     of the events that it writes; empty: any.
        expires_at    aware; from then on the key counts no more.
        by            login of who does this.
        Returns       the key and its secret, which cannot be had again.
        Raises        WhodidError("invalid"), WhodidError("conflict") when the name is taken.
        """
        at = now()
        key = Key(
            id=str(uuid.uuid4()),
            name=_name(name),
            prefix="",
            scopes=_scopes(scopes),
            topics=_names(topics, "topic"),
            nodes=_names(nodes, "node"),
            routing_keys=_names(routing_keys, "routing key"),
            node_type=_names((node_type,), "node type")[0] if node_type is not None else None,
            user=user,
            created_at=at,
            created_by=by,
            expires_at=_future(expires_at, at),
        )
        secret = new_secret()
        row = {field: getattr(key, field) for field in key.__struct_fields__}
        row |= {"prefix": secret[:SHOWN], "digest": digest(secret)}
        with self.writing() as connection:
            if self._valid_named(connection, key.name, at):
                raise WhodidError(
                    "conflict",
                    f"There is a key {key.name!r} already.",
                    "Take another name, or revoke it.",
                    field="name",
                )
            connection.execute(insert(tables.keys).values(row))
            touch(connection, close_access=True)
            self.announce("key-created", _entity(key), by=by, after=_told(key))
        self.refresh()
        return self.key(key.id), secret

    def keys(self, *, revoked: bool = False) -> list[Key]:
        """The keys by name; with `revoked` also those that count no more."""
        found = select(tables.keys).order_by(tables.keys.c.name, tables.keys.c.created_at)
        if not revoked:
            found = found.where(tables.keys.c.revoked_at.is_(None))
        with self.reading() as connection:
            return [key_of(row) for row in connection.execute(found)]

    def key(self, which: str) -> Key:
        """The key with this id, name or prefix; of several with a name, the valid one. Raises not_found."""
        keys = tables.keys
        matches = [keys.c.name == which, keys.c.prefix == which]
        if is_uuid(which):
            matches.append(keys.c.id == which)
        newest_valid_first = (keys.c.revoked_at.is_not(None), keys.c.created_at.desc())
        with self.reading() as connection:
            row = connection.execute(select(keys).where(or_(*matches)).order_by(*newest_valid_first)).first()
        if row is None:
            raise WhodidError("not_found", f"There is no key {which!r}.", "See: whodid key list")
        return key_of(row)

    def revoke_key(self, which: str, *, by: str | None = None) -> Key:
        """End a key; every server notices within a second. Revoking it again changes nothing. Raises not_found."""
        key = self.key(which)
        if key.revoked_at is not None:
            return key
        with self.writing() as connection:
            still = (tables.keys.c.id == key.id) & tables.keys.c.revoked_at.is_(None)
            changed = connection.execute(update(tables.keys).where(still).values(revoked_at=now())).rowcount
            touch(connection)
        self.refresh()
        if changed:
            # After the change: a leaked key has to end even when the disk is full and nothing can be journaled.
            self.announce("key-revoked", _entity(key), by=by, before=_told(key))
        return self.key(key.id)

    def verify_key(self, secret: str) -> Key | None:
        """The valid key of this secret, from memory."""
        return self.snapshot.keys.get(digest(secret))

    @staticmethod
    def _valid_named(connection: Any, name: str, at: datetime) -> bool:
        keys = tables.keys
        valid = (keys.c.revoked_at.is_(None)) & or_(keys.c.expires_at.is_(None), keys.c.expires_at > at)
        return connection.execute(select(keys.c.id).where(keys.c.name == name, valid)).first() is not None


def _entity(key: Key) -> Entity:
    return Entity(type="key", id=key.id, name=key.name)


def _told(key: Key) -> dict[str, Any]:
    names = ("name", "scopes", "topics", "nodes", "routing_keys", "node_type", "user", "expires_at")
    return {name: getattr(key, name) for name in names}


def _name(name: str) -> str:
    if not 1 <= len(name.strip()) <= NAME_MAX:
        raise WhodidError(
            "invalid", f"A key's name has 1 to {NAME_MAX} characters.", "Name the program that uses it.", field="name"
        )
    return name.strip()


def _scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    wanted = {scopes} if isinstance(scopes, str) else set(scopes)
    if not wanted or wanted - set(SCOPES):
        told = ", ".join(sorted(wanted - set(SCOPES))) or "no scope"
        raise WhodidError("invalid", f"A key cannot have {told}.", f"Scopes are {', '.join(SCOPES)}.", field="scopes")
    if "scim" in wanted and len(wanted) > 1:
        raise WhodidError(
            "invalid", "A key that has scim has no other scope.", "Make two keys: one for scim alone.", field="scopes"
        )
    return tuple(scope for scope in SCOPES if scope in wanted)


def _names(names: Iterable[str], what: str) -> tuple[str, ...]:
    listed = (names,) if isinstance(names, str) else tuple(dict.fromkeys(names))
    for name in listed:
        if not 1 <= len(name) <= NAME_MAX:
            raise WhodidError("invalid", f"A {what} has 1 to {NAME_MAX} characters.", "Leave it out to allow any.")
    return listed


def _future(at: datetime | None, present: datetime) -> datetime | None:
    if at is None:
        return None
    if at.tzinfo is None:
        raise WhodidError(
            "invalid", "The time a key expires at has no zone.", "Give it as 2027-01-31T00:00:00Z.", field="expires_at"
        )
    if at <= present:
        raise WhodidError(
            "invalid",
            f"A key cannot expire at {at.isoformat()}: that has passed.",
            "Take a later time.",
            field="expires_at",
        )
    return at
