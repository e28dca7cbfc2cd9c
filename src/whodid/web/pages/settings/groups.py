"""Pages of groups: their members, roles, and what they are called."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response

from whodid.amounts import counted
from whodid.directory import Directory
from whodid.directory.model import Grant, Group, Member
from whodid.web import in_use
from whodid.web.pages.blocks import Block, Button, Doing, Item, Table
from whodid.web.pages.forms import Field, shown
from whodid.web.pages.settings.common import (
    Failed,
    ask,
    asked,
    by,
    confirm,
    segment,
    sent,
    show,
    shown_in_use,
    to,
    tried,
)
from whodid.web.pages.settings.roles import ROLE_FIELDS, granted, limits_of
from whodid.web.requests import Req, segments, services_of

HERE: Final = "/settings/groups"
ADD: Final = "/settings/add/groups"

FIELDS: Final = (
    Field("name", "Name", required=True, help="Rules, roles and filters name it."),
    Field("friendly_name", "Friendly name", more=True),
    Field("description", "Description", help="Who belongs into it."),
)
MEMBER: Final = (
    Field("user", "User", help="Its login.", suggest="user"),
    Field("group", "or a whole group", help="Everybody in it is in this group then, too.", suggest="group"),
    Field("is_admin", "may look after the group", "flag"),
)


async def groups(request: Req) -> Response[bytes]:
    """The groups by name."""
    asked(request)
    services = services_of(request)
    rows = await services.call(_listed, services.directory)
    table = Table("", ("Group", "#Members", "#People", "Roles", "Description"), rows, "There are no groups yet.")
    more = [Button("Add a group", ADD, kind="main"), Button("As CSV", "/v1/groups.csv")]
    return show(request, "Groups", [table], buttons=more)


async def new_group(request: Req, failed: Failed | None = None) -> Response[bytes]:
    """The form of a group."""
    asked(request)
    form = ask(failed, "group", ADD, FIELDS, "Add the group")
    return show(request, "Add a group", [form], back=(HERE, "Groups"), status=failed.status if failed else 200)


async def create_group(request: Req) -> Response[bytes]:
    """Make a group."""
    services, given = services_of(request), await sent(request)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        group = await services.call(services.directory.create_group, by=by(request), **values)
        return to(f"{HERE}/{segment(group.name)}", f"{group.name} is added. It has no members yet.")

    return await tried(request, "group", FIELDS, given, work, lambda failed: new_group(request, failed))


async def group(request: Req, failed: Failed | None = None) -> Response[bytes]:
    """One group with its members and roles."""
    if failed is None:
        asked(request)
    services, which = services_of(request), segments(request)[2]
    directory: Directory = services.directory
    found = await services.call(directory.group, which)
    members = await services.call(directory.members, found.id)
    grants = [one for one in await services.call(directory.grants) if one.group == found.name]
    here = f"{HERE}/{segment(found.name)}"
    values = shown(FIELDS, {field.name: getattr(found, field.name) for field in FIELDS})
    blocks: list[Block] = [
        _members(members, here),
        ask(failed, "member", f"{here}/members", MEMBER, "Put in", title="Put somebody in", open=not members),
        _roles(grants, here),
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
        ask(failed, "group", here, FIELDS, "Keep", values, title="What it is called", open=False),
        Doing([Button("Delete the group", f"{here}/delete", kind="danger")]),
    ]
    status = failed.status if failed else 200
    return show(request, found.name, blocks, back=(HERE, "Groups"), lead=found.description or "", status=status)


async def change_group(request: Req) -> Response[bytes]:
    """Change what a group is called."""
    services, which, given = services_of(request), segments(request)[2], await sent(request)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        changed: Group = await services.call(services.directory.change_group, which, by=by(request), **values)
        return to(f"{HERE}/{segment(changed.name)}", "Kept.")

    return await tried(request, "group", FIELDS, given, work, lambda failed: group(request, failed))


async def add_member(request: Req) -> Response[bytes]:
    """Put a user or a group into a group."""
    services, which, given = services_of(request), segments(request)[2], await sent(request)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        who = {"user": values["user"], "subgroup": values["group"], "is_admin": values["is_admin"]}
        await services.call(services.directory.add_member, which, by=by(request), **who)
        return to(f"{HERE}/{segment(which)}", f"{values['user'] or values['group']} is in {which}.")

    return await tried(request, "member", MEMBER, given, work, lambda failed: group(request, failed))


async def remove_member(request: Req) -> Response[bytes]:
    """Take a user or a group out of a group."""
    services, which, given = services_of(request), segments(request)[2], await sent(request)
    user, subgroup = given.get("user") or None, given.get("group") or None
    await services.call(services.directory.remove_member, which, user=user, subgroup=subgroup, by=by(request))
    back = given.get("back", "")
    there = back if back.startswith("/settings/") else f"{HERE}/{segment(which)}"
    return to(there, f"{user or subgroup} is no more in {which}.")


async def grant_role(request: Req) -> Response[bytes]:
    """Give all members of a group a role."""
    services, which, given = services_of(request), segments(request)[2], await sent(request)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        await services.call(services.directory.grant, group=which, by=by(request), **granted(values))
        return to(f"{HERE}/{segment(which)}", f"Everybody in {which} has the role {values['role']}.")

    return await tried(request, "role", ROLE_FIELDS, given, work, lambda failed: group(request, failed))


async def confirm_delete(request: Req) -> Response[bytes]:
    """What deleting a group will do."""
    asked(request)
    services, which = services_of(request), segments(request)[2]
    found, sentences = await services.call(_consequences, services.directory, which)
    here = f"{HERE}/{segment(found.name)}"
    if uses := await services.call(in_use.uses_of_group, services, which):
        return shown_in_use(request, found.name, uses, back=here)
    return confirm(request, f"Delete {found.name}?", sentences, action=f"{here}/delete", words="Delete the group",
                   back=here)  # fmt: skip


async def delete_group(request: Req) -> Response[bytes]:
    """Take a group away."""
    await sent(request)
    services, which = services_of(request), segments(request)[2]
    await services.call(in_use.delete_group, services, which, by=by(request))
    return to(HERE, f"{which} is deleted. Its members stay.")


def _listed(directory: Directory) -> list[list[Item]]:
    roles: dict[str, list[str]] = {}
    for grant in directory.grants():
        if grant.group:
            roles.setdefault(grant.group, []).append(grant.role)
    return [
        [
            Item(one.name, f"{HERE}/{segment(one.name)}"),
            Item(f"{len(directory.members(one.id)):,}", kind="number"),
            Item(f"{len(directory.group_logins(one.id)):,}", kind="number"),
            Item(", ".join(sorted(set(roles.get(one.name, []))))),
            Item(one.description or ""),
        ]
        for one in directory.groups()
    ]


def _members(members: list[Member], here: str) -> Table:
    rows = []
    some_may = any(member.is_admin for member in members)
    for member in members:
        one = member.group
        kind, place = ("user", "users") if one.personal else ("group", "groups")
        out = Button("Take out", f"{here}/remove", True, fields={kind: one.name}, label=f"Take {one.name} out")
        rows.append(
            [
                Item(one.name, f"/settings/{place}/{segment(one.name)}"),
                Item(kind),
                *([Item("look after the group" if member.is_admin else "")] if some_may else []),
                Item(buttons=[out]),
            ]
        )
    heads = ("Who", "What", *(["May"] if some_may else []), "")
    return Table("Members", heads, rows, "Nobody is in it yet.")


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
    return Table("Roles of its members", ("Role", "Sees", ""), rows, "None.")


def _consequences(directory: Directory, which: str) -> tuple[Group, list[str]]:
    found = directory.group(which)
    roles = [one for one in directory.grants() if one.group == found.name]
    members, people = directory.members(found.id), directory.group_logins(found.id)
    return found, [
        f"{counted(len(members), 'member')} with {counted(len(people), 'person', 'people')} stay, but lose"
        f" {counted(len(roles), 'role')} that the group gives.",
        "This cannot be taken back.",
    ]
