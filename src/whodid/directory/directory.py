"""The directory as one thing."""

from __future__ import annotations

from collections.abc import Callable

from whodid.directory.database import open_engine
from whodid.directory.grants import Grants
from whodid.directory.identities import Identities
from whodid.directory.keys import Keys
from whodid.directory.nodes import Nodes
from whodid.directory.observe import Observation
from whodid.directory.passwords import Passwords
from whodid.directory.receivers import Receivers
from whodid.directory.server_keys import ServerKeys
from whodid.directory.settings import Settings
from whodid.event import Event


class Directory(Observation, Keys, Settings, Grants, Identities, Passwords, ServerKeys, Nodes, Receivers):
    """Users, groups, sessions, entities, keys, roles, browsers and settings, in SQLite or PostgreSQL.

    All methods block (a few hundred microseconds on SQLite): call them from threads. All are safe to call at once,
    from several threads and processes. Those that change something take `by`, the login of who does it.
    """

    @classmethod
    def open(cls, url: str, *, on_change: Callable[[Event], object] | None = None) -> Directory:
        """Open the directory at `sqlite:///PATH` (made if it is not there) or `postgresql://…`.

        on_change  is handed an Event for every change of users, groups, keys and settings, before the change is kept;
                   what it raises undoes the change.
        Raises     see `database.open_engine`.
        """
        return cls(open_engine(url), on_change)
