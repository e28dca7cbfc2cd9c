"""What servers sign with: tokens of panes, the state of a sign-in at a provider. Servers of one database share it."""

from __future__ import annotations

import secrets
from typing import Final

from whodid.directory import tables
from whodid.directory.database import now, touch
from whodid.directory.snapshot import Watched
from whodid.event import Entity

SECRET_BYTES: Final = 32


class ServerKeys(Watched):
    """The part of the directory that keeps the servers' own keys; nothing tells them."""

    def server_key(self, name: str) -> bytes:
        """The key of this name, made when it is asked for first."""
        found = self.snapshot.server_keys.get(name)
        if found is not None:
            return found
        with self.writing() as connection:
            fields = {"name": name, "secret": secrets.token_bytes(SECRET_BYTES), "created_at": now()}
            made = connection.execute(self.insert(tables.server_keys).values(fields).on_conflict_do_nothing()).rowcount
            if made:
                touch(connection)
        return self.refresh().server_keys[name]

    def rotate_server_key(self, name: str, *, by: str | None = None) -> None:
        """Replace a key: what was signed with the one before counts no more."""
        with self.writing() as connection:
            fields = {"secret": secrets.token_bytes(SECRET_BYTES), "created_at": now()}
            put = self.insert(tables.server_keys).values(name=name, **fields)
            connection.execute(put.on_conflict_do_update(index_elements=["name"], set_=fields))
            touch(connection)
            self.announce("server-key-rotated", Entity(type="server-key", id=name, name=name), by=by)
        self.refresh()
