"""What the directory gives out: users, groups, keys, settings, browser sessions. Times are aware, in UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal, get_args

from msgspec import Struct

Scope = Literal["write", "read", "admin", "scim"]
SCOPES: Final[tuple[str, ...]] = get_args(Scope)

Role = Literal["admin", "auditor", "reader", "writer"]
ROLES: Final[tuple[str, ...]] = get_args(Role)


class User(Struct, kw_only=True, frozen=True):
    """A person or program. `made` is False for one that only appeared in events.

    One that is not `active` cannot sign in, and its keys count for nothing. `external_id` is what an identity provider
    calls it.
    """

    id: str
    login: str
    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    friendly_name: str | None = None
    email: str | None = None
    picture: str | None = None
    joined: datetime | None = None
    group_id: str | None = None
    made: bool = False
    active: bool = True
    external_id: str | None = None
    first_seen: datetime | None = None
    last_seen: datetime | None = None


class Group(Struct, kw_only=True, frozen=True):
    """A set of users. The `personal` group of a user holds only that user and is what joins other groups."""

    id: str
    name: str
    friendly_name: str | None = None
    personal: bool = False
    description: str | None = None


class Member(Struct, kw_only=True, frozen=True):
    """A group that is directly in another; a user is there as its personal group."""

    group: Group
    is_admin: bool = False


class Key(Struct, kw_only=True, frozen=True):
    """What a program may do. Empty `topics`, `nodes`, `routing_keys` bind it to none: it may write any."""

    id: str
    name: str
    prefix: str
    scopes: tuple[str, ...]
    topics: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    routing_keys: tuple[str, ...] = ()
    node_type: str | None = None
    user: str | None = None
    created_at: datetime
    created_by: str | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None


class Setting(Struct, kw_only=True, frozen=True):
    """One version of a setting; version 1 is its first."""

    name: str
    value: Any
    version: int
    changed_at: datetime
    changed_by: str | None = None


class Entity(Struct, kw_only=True, frozen=True):
    """A thing that events mentioned; `entity_id` is the UUID that foreign SQL joins by."""

    entity_id: str
    type: str
    id: str
    name: str | None
    first_seen: datetime
    last_seen: datetime


class EntityName(Struct, kw_only=True, frozen=True):
    """A name that a thing had, and when it was seen under it."""

    name: str
    first_seen: datetime
    last_seen: datetime


class Session(Struct, kw_only=True, frozen=True):
    """A span of one user's work, or of somebody's who never signed in (`user` is None).

    `type` is `browser` for one that a sign-in opened, else the source of its events (client, server). While it is
    open, `ended` is None; afterwards it is when it ended, and `ended_by` says by what: `sign-out`, `idle`, or who.
    """

    id: str
    user_id: str | None
    user: str | None
    started: datetime | None
    last_seen: datetime | None
    ended: datetime | None
    ended_by: str | None
    ip: str | None
    type: str | None
    user_agent: str | None = None
    client: str | None = None


class BrowserSession(Struct, kw_only=True, frozen=True):
    """A signed-in browser. Without `scopes` it may do what the roles of its user say.

    id       also of the session that its events carry.
    way      how it signed in: "link", "password" or "oidc".
    idle_ms  it ends when nothing was asked for so long.
    """

    id: str
    user: str | None
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    address: str | None = None
    way: str | None = None
    user_agent: str | None = None
    last_seen_at: datetime | None = None
    idle_ms: int | None = None


class Grant(Struct, kw_only=True, frozen=True):
    """A role that a user or the members of a group have.

    A reader reads the events of its `projects`, those that touched one of its `entities` (`type:id`, `type:*`), and
    with `own` what it did itself. Other roles have no such limits.
    """

    id: str
    role: str
    user: str | None = None
    group: str | None = None
    projects: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    own: bool = True
    created_at: datetime
    created_by: str | None = None
