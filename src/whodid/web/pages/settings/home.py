"""The first page of the settings: every part with how much there is of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from litestar import Response

from whodid.amounts import counted
from whodid.retention.rule import retention_of
from whodid.web.pages import frame
from whodid.web.pages.settings.common import asked, reads_only, sections_for
from whodid.web.requests import Req, services_of
from whodid.web.services import Services

# What is said of a part in a few words, by its address.
_SAID: Final[dict[str, Callable[[Services], str]]] = {
    "/settings/users": lambda services: counted(
        len(services.directory.users(made=True, with_roles=True, limit=10_000)), "account"
    ),
    "/settings/groups": lambda services: counted(len(services.directory.groups()), "group"),
    "/settings/keys": lambda services: f"{counted(len(services.directory.keys()), 'key')} that count",
    "/settings/policy": lambda services: counted(len(services.policies.rules.read().items), "rule"),
    "/settings/targets": lambda services: counted(len(services.dispatch.shown()), "target"),
    "/settings/connections": lambda services: counted(len(services.datasets.connections.all()), "connection"),
    "/settings/schedules": lambda services: counted(len(services.beside.schedules.all()), "schedule"),
    "/settings/alerts": lambda services: _alerts(services),
    "/settings/mail": lambda services: (services.beside.outlets.shown_mail() or {}).get("host", "none yet"),
    "/settings/retention": lambda services: _kept(services),
    "/settings/datasets": lambda services: counted(len(services.datasets.all()), "dataset"),
}


async def home(request: Req) -> Response[bytes]:
    """Settings: what there is."""
    asked(request)
    services, sections = services_of(request), sections_for(request)
    said = await services.call(lambda: {one.path: _SAID[one.path](services) for one in sections if one.path in _SAID})
    only = reads_only(request)
    return frame.page(request, "settings_home.html", at="/settings", sections=sections, said=said, reads_only=only)


def _kept(services: Services) -> str:
    retention = retention_of(services.directory)
    return (
        "everything for ever"
        if retention.keeps_all
        else ", ".join(f"{level} {days:,} d" for level, days in retention.levels.items())
    )


def _alerts(services: Services) -> str:
    firing = sum(services.beside.alerts.firings.counts().values())
    return f"{counted(len(services.beside.alerts.all()), 'alert')}, {firing:,} firing"
