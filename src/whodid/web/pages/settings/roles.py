"""Roles on the pages of users and groups: the form that gives one, what it lets see, taking it back."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response

from whodid.directory.model import Grant
from whodid.web.pages.forms import Field
from whodid.web.pages.settings.common import by, sent, to
from whodid.web.requests import Req, segments, services_of

_WORDS: Final = (
    ("admin", "admin: everything, settings too"),
    ("auditor", "auditor: reads everything"),
    ("reader", "reader: reads what is named below"),
    ("writer", "writer: sends events"),
)
ROLE_FIELDS: Final[tuple[Field, ...]] = (
    Field("role", "Role", "choice", required=True, choices=_WORDS),
    Field("projects", "Projects", "list", "What a reader sees: events of these projects."),
    Field("entities", "Things", "list", "What a reader sees: events that touched them, as type:id or type:*."),
    Field("own", "and what it did itself", "flag"),
)


def granted(values: dict[str, Any]) -> dict[str, Any]:
    """What was chosen, as the directory takes it: limits are a reader's alone."""
    if values["role"] == "reader":
        return values
    return {**values, "own": True}


def limits_of(grant: Grant) -> str:
    """What a role lets see, in words."""
    if grant.role != "reader":
        return {"writer": "nothing, writes"}.get(grant.role, "everything")
    parts = [f"projects {', '.join(grant.projects)}"] if grant.projects else []
    parts += [f"things {', '.join(grant.entities)}"] if grant.entities else []
    return "; ".join([*parts, *(["what it did itself"] if grant.own else [])])


async def revoke(request: Req) -> Response[bytes]:
    """Take a role back."""
    services, role, given = services_of(request), segments(request)[2], await sent(request)
    await services.call(services.directory.revoke_grant, role, by=by(request))
    back = given.get("back", "")
    return to(back if back.startswith("/settings/") else "/settings/users", "The role is taken back.")
