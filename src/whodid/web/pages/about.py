"""What the directory knows of whom or what a page is about: a person and their sessions, a thing and its names."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from whodid.directory import Directory
from whodid.errors import WhodidError
from whodid.web import nodes
from whodid.web.pages import frame
from whodid.web.pages.choice import Choice
from whodid.web.requests import Req, services_of

SESSIONS_SHOWN: Final = 30


async def person(request: Req, choice: Choice, subject: Mapping[str, str], cursor: str) -> str:
    """Who somebody is: name, groups, when first and last seen."""
    services = services_of(request)
    told = await services.call(_person, services.directory, subject["login"])
    return frame.text("part_person.html", zone=choice.zone, login=subject["login"], **told)


async def sessions(request: Req, choice: Choice, subject: Mapping[str, str], cursor: str) -> str:
    """The latest sessions of somebody."""
    services, span = services_of(request), choice.span()
    found: list[Any] = []
    with suppress(WhodidError):
        found = await services.call(
            services.directory.sessions,
            user=subject["login"],
            since=span.since,
            until=span.until,
            limit=SESSIONS_SHOWN,
        )
    return frame.text("part_sessions.html", sessions=found, zone=choice.zone, choice=choice)


async def thing(request: Req, choice: Choice, subject: Mapping[str, str], cursor: str) -> str:
    """What a thing is called, and was called; when first and last seen."""
    services = services_of(request)
    told = await services.call(_thing, services.directory, subject["type"], subject["id"])
    return frame.text("part_thing.html", zone=choice.zone, subject=subject, **told)


async def group(request: Req, choice: Choice, subject: Mapping[str, str], cursor: str) -> str:
    """Who is in a group, and what that gives them."""
    services = services_of(request)
    told = await services.call(_group, services.directory, subject["group"])
    return frame.text("part_group.html", name=subject["group"], **told)


async def node(request: Req, choice: Choice, subject: Mapping[str, str], cursor: str) -> str:
    """How a node stands: when it was seen, how its clock goes, what its agent holds."""
    services = services_of(request)
    found: Any = None
    with suppress(WhodidError):
        known = await services.call(services.directory.node, subject["node"])
        found = {**nodes.shown(known), "first_seen": known.first_seen, "last_seen": known.last_seen}
    return frame.text("part_node.html", zone=choice.zone, node=found, name=subject["node"])


def _person(directory: Directory, login: str) -> dict[str, Any]:
    try:
        user = directory.user(login)
    except WhodidError:
        return {"user": None, "groups": [], "roles": []}
    roles = sorted({grant.role for grant in directory.roles_of(login)})
    return {"user": user, "groups": directory.groups_of(login), "roles": roles}


def _group(directory: Directory, name: str) -> dict[str, Any]:
    try:
        found = directory.group(name)
    except WhodidError:
        return {"group": None, "people": [], "within": [], "roles": []}
    within = [member.group.name for member in directory.members(found.id) if not member.group.personal]
    roles = sorted({grant.role for grant in directory.grants() if grant.group == found.name})
    return {"group": found, "people": sorted(directory.group_logins(found.id)), "within": within, "roles": roles}


def _thing(directory: Directory, kind: str, name: str) -> dict[str, Any]:
    try:
        entity = directory.entity(kind, name)
    except WhodidError:
        return {"entity": None, "names": []}
    return {"entity": entity, "names": directory.entity_names(kind, name)}
