"""Keys, users and groups over HTTP; the directory makes an event of every change."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from litestar import Response
from msgspec import Struct

from whodid.delivery.mail import checked_address
from whodid.errors import about
from whodid.web import in_use
from whodid.web.answers import json_answer
from whodid.web.requests import Req, body_of, bounded, caller_of, name_of, one, query_of, segments, services_of
from whodid.web.unknown_users import warning_of


class NewKey(Struct, kw_only=True, forbid_unknown_fields=True):
    """A key to make. Empty `topics`, `nodes`, `routing_keys` bind it to none."""

    name: str
    scopes: list[str]
    topics: list[str] = []
    nodes: list[str] = []
    routing_keys: list[str] = []
    node_type: str | None = None
    user: str | None = None
    expires_at: datetime | None = None


class UserFields(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is known of a user; what is left out stays as it is."""

    name: str | msgspec.UnsetType | None = msgspec.UNSET
    first_name: str | msgspec.UnsetType | None = msgspec.UNSET
    last_name: str | msgspec.UnsetType | None = msgspec.UNSET
    friendly_name: str | msgspec.UnsetType | None = msgspec.UNSET
    email: str | msgspec.UnsetType | None = msgspec.UNSET


class NewUser(UserFields, kw_only=True, forbid_unknown_fields=True):
    """A user to make."""

    login: str


class GroupFields(Struct, kw_only=True, forbid_unknown_fields=True):
    """What is known of a group; what is left out stays as it is."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    friendly_name: str | msgspec.UnsetType | None = msgspec.UNSET
    description: str | msgspec.UnsetType | None = msgspec.UNSET


class NewGroup(GroupFields, kw_only=True, forbid_unknown_fields=True):
    """A group to make."""

    name: str


class NewMember(Struct, kw_only=True, forbid_unknown_fields=True):
    """Who joins a group: a user by login, or a group by name."""

    user: str | None = None
    group: str | None = None
    is_admin: bool = False


async def list_keys(request: Req) -> Response[bytes]:
    """The keys, without their secrets; with `revoked=true` also those that count no more."""
    revoked = one(query_of(request, ["revoked"]), "revoked", "false") == "true"
    services = services_of(request)
    return _listed("keys", await services.call(services.directory.keys, revoked=revoked))


async def create_key(request: Req) -> Response[bytes]:
    """Make a key. Its `secret` is shown this once."""
    new, services = await body_of(request, NewKey), services_of(request)
    fields = msgspec.structs.asdict(new)
    key, secret = await services.call(services.directory.create_key, by=_by(request), **fields)
    warning = await services.call(warning_of, services.directory, [key.user])
    return json_answer({**msgspec.to_builtins(key), "secret": secret, "warning": warning}, status=201)


async def revoke_key(request: Req) -> Response[bytes]:
    """End a key, by id, name or prefix; it counts nowhere after a second."""
    services = services_of(request)
    key = await services.call(services.directory.revoke_key, segments(request)[2], by=_by(request))
    return json_answer(msgspec.to_builtins(key))


async def list_users(request: Req) -> Response[bytes]:
    """Users by login, those that only events mention too; `text` is looked for in login, names and e-mail."""
    given, services = query_of(request, ["text", "limit", "offset"]), services_of(request)
    limit, offset = bounded(given, "limit", 1_000, 1, 10_000), bounded(given, "offset", 0, 0, 2**31)
    users = await services.call(services.directory.users, text=one(given, "text") or None, limit=limit, offset=offset)
    return _listed("users", users)


async def show_user(request: Req) -> Response[bytes]:
    """A user by login or id, and the groups it is in."""
    services, login = services_of(request), segments(request)[2]
    user = await services.call(services.directory.user, login)
    groups = await services.call(services.directory.groups_of, user.login)
    return json_answer({**msgspec.to_builtins(user), "groups": msgspec.to_builtins(groups)})


async def create_user(request: Req) -> Response[bytes]:
    """Make a user, or take one over that events mention. The first one ends access without a key."""
    new, services = await body_of(request, NewUser), services_of(request)
    user = await services.call(services.directory.create_user, by=_by(request), **profile(_given(new)))
    return json_answer(msgspec.to_builtins(user), status=201)


async def change_user(request: Req) -> Response[bytes]:
    """Change what is known of a user; what is left out stays."""
    fields, services = await body_of(request, UserFields), services_of(request)
    directory, login = services.directory, segments(request)[2]
    user = await services.call(directory.change_user, login, by=_by(request), **profile(_given(fields)))
    return json_answer(msgspec.to_builtins(user))


async def delete_user(request: Req) -> Response[bytes]:
    """Take a user away, with its group, keys and signed-in browsers. Its events stay."""
    services, login = services_of(request), segments(request)[2]
    await services.call(services.directory.delete_user, login, by=_by(request))
    return json_answer({"deleted": login})


async def list_groups(request: Req) -> Response[bytes]:
    """Groups by name; with `personal=true` also those of single users."""
    personal = one(query_of(request, ["personal"]), "personal", "false") == "true"
    services = services_of(request)
    return _listed("groups", await services.call(services.directory.groups, personal=personal))


async def show_group(request: Req) -> Response[bytes]:
    """A group by name or id, with its direct members and the logins of all users in it."""
    services, name = services_of(request), segments(request)[2]
    group = await services.call(services.directory.group, name)
    members = await services.call(services.directory.members, group.id)
    logins = await services.call(services.directory.group_logins, group.id)
    return json_answer({**msgspec.to_builtins(group), "members": msgspec.to_builtins(members), "logins": logins})


async def create_group(request: Req) -> Response[bytes]:
    """Make an empty group."""
    new, services = await body_of(request, NewGroup), services_of(request)
    group = await services.call(services.directory.create_group, by=_by(request), **_given(new))
    return json_answer(msgspec.to_builtins(group), status=201)


async def change_group(request: Req) -> Response[bytes]:
    """Change what is known of a group; what is left out stays."""
    fields, services = await body_of(request, GroupFields), services_of(request)
    directory, name = services.directory, segments(request)[2]
    return json_answer(
        msgspec.to_builtins(await services.call(directory.change_group, name, by=_by(request), **_given(fields)))
    )


async def delete_group(request: Req) -> Response[bytes]:
    """Take a group away that nothing uses; its members stay."""
    services, name = services_of(request), segments(request)[2]
    await services.call(in_use.delete_group, services, name, by=_by(request))
    return json_answer({"deleted": name})


async def list_members(request: Req) -> Response[bytes]:
    """The direct members of a group."""
    services = services_of(request)
    return _listed("members", await services.call(services.directory.members, segments(request)[2]))


async def add_member(request: Req) -> Response[bytes]:
    """Put a user or a group into a group."""
    new, services, name = await body_of(request, NewMember), services_of(request), segments(request)[2]
    directory = services.directory
    await services.call(
        directory.add_member, name, user=new.user, subgroup=new.group, is_admin=new.is_admin, by=_by(request)
    )
    return _listed("members", await services.call(directory.members, name))


async def remove_member(request: Req) -> Response[bytes]:
    """Take a user (`user=`) or a group (`group=`) out of a group."""
    given, services, name = query_of(request, ["user", "group"]), services_of(request), segments(request)[2]
    directory, user, group = services.directory, one(given, "user") or None, one(given, "group") or None
    await services.call(directory.remove_member, name, user=user, subgroup=group, by=_by(request))
    return _listed("members", await services.call(directory.members, name))


def profile(given: dict[str, Any]) -> dict[str, Any]:
    """What somebody wrote of a user. Raises WhodidError("invalid") for an address that is none of mail."""
    if given.get("email"):
        with about("email"):
            checked_address(given["email"])
    return given


def _given(fields: Struct) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(fields).items() if value is not msgspec.UNSET}


def _by(request: Req) -> str:
    return name_of(caller_of(request))


def _listed(name: str, found: Any) -> Response[bytes]:
    return json_answer({name: msgspec.to_builtins(found)})
