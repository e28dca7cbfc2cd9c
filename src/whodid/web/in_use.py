"""Deleting a connection, a webhook or a group: refused as long as something uses it. Everything here blocks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from whodid.errors import WhodidError
from whodid.web.services import Services

NAMED_MAX: Final = 10


def uses_of_connection(services: Services, name: str) -> list[str]:
    """The datasets that lie on a connection, and the schedules that write there."""
    datasets = [one.name for one in services.datasets.all() if one.connection == name]
    schedules = [one.name for one in services.beside.schedules.all() if one.to.connection == name]
    return [*_named("dataset", datasets), *_named("schedule", schedules)]


def uses_of_webhook(services: Services, name: str) -> list[str]:
    """The alerts that are told to a webhook."""
    return _named("alert", [rule.name for rule in services.beside.alerts.all() if name in rule.webhooks])


def uses_of_group(services: Services, which: str) -> list[str]:
    """What is for a group's members only; its roles go with it. Raises not_found."""
    group = services.directory.group(which)
    called = {group.name, group.id}
    alerts = services.beside.alerts.all()
    return [
        *_named("policy rule", [rule.name for rule in services.policies.rules.read().items if rule.group in called]),
        *_named("capture", [one.name for one in services.policies.captures.all()
                           if one.is_running and one.group in called]),
        *_named("connection", [one.name for one in services.datasets.connections.all() if called & {*one.groups}]),
        *_named("target", [row.name for row in services.dispatch.dispatcher.rows().values()
                           if called & {*row.selection.groups}]),
        *_named("alert", [rule.name for rule in alerts if called & {*rule.options.get("groups", ())}]),
    ]  # fmt: skip


def in_use(name: str, uses: Sequence[str]) -> str:
    """One sentence with what uses it."""
    more = f" and {len(uses) - NAMED_MAX:,} more" if len(uses) > NAMED_MAX else ""
    return f"{name} is used: {', '.join(uses[:NAMED_MAX])}{more}."


def delete_connection(services: Services, name: str, *, by: str) -> None:
    """Forget a connection. Raises conflict, not_found."""
    _refuse(name, uses_of_connection(services, name))
    services.datasets.connections.delete(name, by=by)


def delete_webhook(services: Services, name: str, *, by: str) -> None:
    """Forget a webhook. Raises conflict, not_found."""
    _refuse(name, uses_of_webhook(services, name))
    services.beside.outlets.delete_webhook(name, by=by)


def delete_group(services: Services, which: str, *, by: str) -> None:
    """Take a group away. Raises conflict, not_found, invalid."""
    _refuse(which, uses_of_group(services, which))
    services.directory.delete_group(which, by=by)


def _refuse(name: str, uses: Sequence[str]) -> None:
    if uses:
        raise WhodidError("conflict", in_use(name, uses), "Delete or change what uses it first.")


def _named(kind: str, names: Collection[str]) -> list[str]:
    return [f"{kind} {name!r}" for name in sorted(names)]
