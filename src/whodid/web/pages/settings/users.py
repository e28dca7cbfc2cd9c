"""Pages of users: who they are, their groups, roles, keys, where they are signed in."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response

from whodid.amounts import counted
from whodid.directory import Directory
from whodid.directory.model import Grant, Key, User
from whodid.web import browsers
from whodid.web.account import password_link_of
from whodid.web.pages.blocks import Block, Button, Doing, Facts, Item, Table, Text
from whodid.web.pages.forms import Field, shown
from whodid.web.pages.settings.common import (
    Failed,
    ask,
    asked,
    by,
    confirm,
    may_change,
    moment_item,
    segment,
    sent,
    show,
    to,
    tried,
)
from whodid.web.pages.settings.roles import ROLE_FIELDS, granted, limits_of
from whodid.web.requests import Req, number, segments, services_of
from whodid.web.settings import profile

ROWS: Final = 200
HERE: Final = "/settings/users"
ADD: Final = "/settings/add/users"

_NOBODY: Final = {
    None: "Nobody has this name.",
    True: "There are no accounts yet. Without one, programs on this machine may ask without a key.",
    False: "Events mention nobody else.",
}
_OTHERS: Final = {
    False: Button("Seen in events", f"{HERE}?seen=1"),
    True: Button("Accounts", HERE),
}

PROFILE: Final = (
    Field("name", "Name", help="Shown beside the login."),
    Field("first_name", "First name", more=True),
    Field("last_name", "Last name", more=True),
    Field("friendly_name", "Friendly name", more=True),
    Field("email", "E-mail", help="For links to choose a password, and for reports."),
)
NEW: Final = (
    Field("login", "Login", required=True, help="What events carry as user. A known login is taken over."),
    *PROFILE,
)
GROUP: Final = (Field("group", "Group", required=True, suggest="group"),)


async def users(request: Req) -> Response[bytes]:
    """The users by login: accounts and who has a role; with `seen` those that only events mention."""
    given, services = asked(request, "text", "offset", "seen"), services_of(request)
    offset = max(0, number("offset", given["offset"] or "0"))
    directory: Directory = services.directory
    # A search looks everywhere.
    made = None if given["text"] else given["seen"] != "1"
    wanted: dict[str, Any] = {"text": given["text"] or None, "made": made, "with_roles": True}
    wanted |= {"limit": ROWS + 1, "offset": offset}
    found = await services.call(directory.users, **wanted)
    grants = await services.call(directory.grants)
    rows = [
        [
            Item(user.login, f"{HERE}/{segment(user.login)}"),
            Item("" if user.name in (None, user.login) else str(user.name)),
            Item(", ".join(sorted({one.role for one in grants if one.user == user.login}))),
            _state(user),
            moment_item(user.last_seen, request),
        ]
        for user in found[:ROWS]
    ]
    blocks: list[Block] = [Table("", ("Login", "Name", "Roles", "State", "Last seen"), rows, _NOBODY[made])]
    if len(found) > ROWS:
        more = f"{HERE}?text={segment(given['text'])}&seen={segment(given['seen'])}&offset={offset + ROWS}"
        blocks.append(Doing([Button(f"The next {ROWS}", more)]))
    return show(
        request,
        "Users",
        blocks,
        lead="Those that only events mention; adding one with the same login takes it over." if made is False else "",
        buttons=[Button("Add a user", ADD, kind="main"), Button("As CSV", "/v1/users.csv"), _OTHERS[made is False]],
        search=given["text"],
    )


async def new_user(request: Req, failed: Failed | None = None) -> Response[bytes]:
    """The form of a user."""
    asked(request)
    form = ask(failed, "user", ADD, NEW, "Add the user")
    status = failed.status if failed else 200
    first = Text(["The first user or key ends access without a key from this machine."], kind="warning")
    closes = [] if services_of(request).directory.has_keys_or_users() else [first]
    return show(request, "Add a user", [*closes, form], back=(HERE, "Users"), status=status)


async def create_user(request: Req) -> Response[bytes]:
    """Make a user."""
    services, given = services_of(request), await sent(request)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        user = await services.call(services.directory.create_user, by=by(request), **profile(values))
        return to(f"{HERE}/{segment(user.login)}", f"{user.login} is added. Give a role and a way to sign in below.")

    return await tried(request, "user", NEW, given, work, lambda failed: new_user(request, failed))


async def user(request: Req, failed: Failed | None = None, made: Text | None = None) -> Response[bytes]:
    """One user with everything that belongs to it."""
    if failed is None and made is None:
        asked(request)
    services, login = services_of(request), segments(request)[2]
    directory: Directory = services.directory
    found = await services.call(directory.user, login)
    here = f"{HERE}/{segment(found.login)}"
    groups = await services.call(directory.groups_of, found.login)
    mine = [one for one in await services.call(directory.grants) if one.user == found.login]
    keys = [key for key in await services.call(directory.keys) if key.user == found.login]
    sign_ins = [one for one in await services.call(directory.browser_sessions) if one.user == found.login]
    has_password = await services.call(directory.has_password, found.login)
    blocks: list[Block | None] = [
        made,
        Facts(
            [
                ("State", _state(found).text, _state(found).tag),
                ("Known since", str(moment_item(found.first_seen or found.joined, request).text), ""),
                ("Last seen", moment_item(found.last_seen, request).text, ""),
                ("Password", "yes" if has_password else "none", ""),
                ("Identity provider", found.external_id or "none", ""),
            ]
        ),
        ask(failed, "user", here, PROFILE, "Keep", shown(PROFILE, _fields(found)), title="Who it is"),
        _roles(mine, here),
        ask(
            failed,
            "role",
            f"{here}/roles",
            ROLE_FIELDS,
            "Give the role",
            {"own": True},
            title="Give a role",
            open=False,
        ),
        Table(
            "Groups",
            ("Group", ""),
            [
                [Item(one.name, f"/settings/groups/{segment(one.name)}"), _leave(one.name, found.login, here)]
                for one in groups
                if not one.personal
            ],
            "In no group.",
        ),
        ask(failed, "group", f"{here}/groups", GROUP, "Put into the group", title="Put into a group", open=False),
        _sign_ins(request, sign_ins, here) if may_change(request) else None,
        _keys(request, keys) if may_change(request) else None,
        Doing(_doings(found, here, has_password)),
    ]
    shown_blocks = [block for block in blocks if block is not None]
    status = failed.status if failed else 200
    return show(request, found.login, shown_blocks, back=(HERE, "Users"), lead=found.name or "", status=status)


async def change_user(request: Req) -> Response[bytes]:
    """Change what is known of a user."""
    services, login, given = services_of(request), segments(request)[2], await sent(request)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        await services.call(services.directory.change_user, login, by=by(request), **profile(values))
        return to(f"{HERE}/{segment(login)}", "Kept.")

    return await tried(request, "user", PROFILE, given, work, lambda failed: user(request, failed))


async def grant_role(request: Req) -> Response[bytes]:
    """Give a user a role."""
    services, login, given = services_of(request), segments(request)[2], await sent(request)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        await services.call(services.directory.grant, user=login, by=by(request), **granted(values))
        return to(f"{HERE}/{segment(login)}", f"{login} has the role {values['role']}; it counts within a second.")

    return await tried(request, "role", ROLE_FIELDS, given, work, lambda failed: user(request, failed))


async def join_group(request: Req) -> Response[bytes]:
    """Put a user into a group."""
    services, login, given = services_of(request), segments(request)[2], await sent(request)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        await services.call(services.directory.add_member, values["group"], user=login, by=by(request))
        return to(f"{HERE}/{segment(login)}", f"{login} is in {values['group']}.")

    return await tried(request, "group", GROUP, given, work, lambda failed: user(request, failed))


async def password_link(request: Req) -> Response[bytes]:
    """Make a link with which a user chooses a password; it is shown this once."""
    await sent(request)
    login = segments(request)[2]
    link = await password_link_of(request, login)
    told = f"Send this to {login}. It works once, for a day, and is shown only here."
    return await user(request, made=Text([told], "A link to choose a password", "good", link))


async def set_active(request: Req) -> Response[bytes]:
    """Let a user sign in again, or no more."""
    services, login, given = services_of(request), segments(request)[2], await sent(request)
    active = given.get("active") == "1"
    await services.call(services.directory.set_active, login, active, by=by(request))
    done = (
        f"{login} may sign in again." if active else f"{login} is deactivated: signed out, and its keys count no more."
    )
    return to(f"{HERE}/{segment(login)}", done)


async def remove_password(request: Req) -> Response[bytes]:
    """Take a user's password away."""
    await sent(request)
    services, login = services_of(request), segments(request)[2]
    await services.call(services.directory.remove_password, login, by=by(request))
    return to(f"{HERE}/{segment(login)}", "The password is taken away.")


async def end_sign_in(request: Req) -> Response[bytes]:
    """Sign a user out of one browser, or of all."""
    services, login, given = services_of(request), segments(request)[2], await sent(request)
    found = await services.call(services.directory.browser_sessions)
    ended = [one for one in found if one.user == login and given.get("session", one.id) == one.id]
    for one in ended:
        await services.call(browsers.end, services, one, by=by(request))
    return to(f"{HERE}/{segment(login)}", f"Signed out of {counted(len(ended), 'browser')}.")


async def confirm_action(request: Req) -> Response[bytes]:
    """What deactivating or deleting a user will do, before it is done."""
    asked(request)
    services, (_, _, login, what) = services_of(request), segments(request)
    directory: Directory = services.directory
    found = await services.call(directory.user, login)
    here = f"{HERE}/{segment(found.login)}"
    keys = [key for key in await services.call(directory.keys) if key.user == found.login]
    sign_ins = [one for one in await services.call(directory.browser_sessions) if one.user == found.login]
    groups = [one for one in await services.call(directory.groups_of, found.login) if not one.personal]
    roles = [one for one in await services.call(directory.grants) if one.user == found.login]
    last = max((key.last_used_at for key in keys if key.last_used_at), default=None)
    used = f", last used {moment_item(last, request).text}" if last else ""
    if what == "deactivate":
        sentences = [
            f"{login} is signed out of {counted(len(sign_ins), 'browser')} and cannot sign in again.",
            f"{counted(len(keys), 'key')} of {login}{used} count no more." if keys else "No keys are touched.",
            "Groups, roles and events stay; it can be taken back at any time.",
        ]
        return confirm(request, f"Deactivate {login}?", sentences, action=f"{here}/active", words="Deactivate",
                       back=here, active="0")  # fmt: skip
    sentences = [
        f"This takes away {login} with {counted(len(keys), 'key')}{used}, {counted(len(roles), 'role')},"
        f" {counted(len(groups), 'membership')} and {counted(len(sign_ins), 'signed-in browser')}.",
        f"The events of {login} stay. This cannot be taken back.",
    ]
    return confirm(request, f"Delete {login}?", sentences, action=f"{here}/delete", words="Delete the user", back=here)


async def delete_user(request: Req) -> Response[bytes]:
    """Take a user away."""
    await sent(request)
    services, login = services_of(request), segments(request)[2]
    await services.call(services.directory.delete_user, login, by=by(request))
    return to(HERE, f"{login} is deleted. The events stay.")


def _fields(found: User) -> dict[str, Any]:
    return {field.name: getattr(found, field.name) for field in PROFILE}


def _state(found: User) -> Item:
    if not found.made:
        return Item("only seen in events", kind="text")
    return Item("active") if found.active else Item("deactivated", tag="warning")


def _roles(grants: list[Grant], here: str) -> Table:
    rows = [
        [
            Item(one.role),
            Item(limits_of(one)),
            Item(buttons=[Button("Take back", f"/settings/roles/{one.id}/revoke", True, fields={"back": here},
                                 label=f"Take back the role {one.role}")]),
        ]
        for one in grants
    ]  # fmt: skip
    return Table("Roles given directly", ("Role", "Sees", ""), rows, "None; groups may give some.")


def _leave(group: str, login: str, here: str) -> Item:
    address = f"/settings/groups/{segment(group)}/remove"
    fields = {"user": login, "back": here}
    return Item(buttons=[Button("Take out", address, True, fields=fields, label=f"Take {login} out of {group}")])


def _sign_ins(request: Req, found: list[Any], here: str) -> Table:
    rows = [
        [
            moment_item(one.created_at, request),
            moment_item(one.last_seen_at, request),
            Item(one.address or ""),
            Item(one.user_agent or "", title=one.user_agent or ""),
            Item(buttons=[Button("Sign out", f"{here}/sign-out", True, fields={"session": one.id})]),
        ]
        for one in found
    ]
    return Table("Where it is signed in", ("Since", "Last seen", "Address", "Browser", ""), rows, "Nowhere.")


def _keys(request: Req, found: list[Key]) -> Table:
    rows = [
        [
            Item(key.name, f"/settings/keys/{key.id}"),
            Item(", ".join(key.scopes)),
            moment_item(key.last_used_at, request),
        ]
        for key in found
    ]
    return Table("Keys", ("Key", "May", "Last used"), rows, "No keys.")


def _doings(found: User, here: str, has_password: bool) -> list[Button]:
    if not found.made:
        return [Button("Delete", f"{here}/delete", kind="danger")]
    link = Button("Link to choose a password", f"{here}/password-link", True)
    removed = Button("Take the password away", f"{here}/password-removed", True)
    again = Button("Let it sign in again", f"{here}/active", True, fields={"active": "1"})
    off = Button("Deactivate", f"{here}/deactivate", kind="danger")
    return [
        *([link] if found.active else []),
        *([removed] if has_password else []),
        off if found.active else again,
        Button("Delete", f"{here}/delete", kind="danger"),
    ]
