"""Writes what `story` plants: each fact on its days."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from whodid.demo import errors
from whodid.demo.calendar import SATURDAY
from whodid.demo.compute import forget_notebook, run_costly_notebook
from whodid.demo.pen import DAY_S, Pen, seeded_uuid
from whodid.demo.projects import Thing, World
from whodid.demo.story import (
    ADMINISTRATOR,
    FORGOTTEN_NOTEBOOK,
    MASS_EXPORT,
    MOVED_DATASET,
    PROBED_ACCOUNT,
    RELEASE,
    days_before_end,
)
from whodid.demo.vocabulary import menu_items
from whodid.event import Entity

_PLATFORM: Final[dict[str, Any]] = {"node": "platform-1", "node_type": "server"}
_DESIGN: Final[dict[str, Any]] = {"node": "dss-design", "node_type": "design"}


def plant(pen: Pen, world: World, day: int, starts_at: float, scale: float) -> None:
    """Write what the story has for a day (0 is its first); `scale` makes the crowds smaller in a small story."""
    if day == 0:
        _publish_menu(pen, world.starts_at, RELEASE.previous_version)
        _welcome_groups(pen, world)
    if _is_day(world, day, RELEASE.days_ago):
        _publish_menu(pen, _at(world, RELEASE.days_ago), RELEASE.version)
        _announce_release(pen, _at(world, RELEASE.days_ago))
    if _is_day(world, day, MOVED_DATASET.days_ago):
        _move_dataset(pen, world)
    if _is_day(world, day - 1, MOVED_DATASET.days_ago):
        moved = _planted_dataset(world)
        moved.connection, moved.table = MOVED_DATASET.connection_after, MOVED_DATASET.table_after
    for number, night in enumerate(PROBED_ACCOUNT.nights_ago, 1):
        if _is_day(world, day, night):
            last = number == len(PROBED_ACCOUNT.nights_ago)
            _probe(pen, starts_at, max(4, round(PROBED_ACCOUNT.attempts * scale)), last=last)
    if _is_day(world, day, MASS_EXPORT.days_ago):
        _export_en_masse(pen, world, starts_at, max(12, round(MASS_EXPORT.datasets * scale)))
    if _is_day(world, day, FORGOTTEN_NOTEBOOK.days_ago):
        forget_notebook(pen, world, _at(world, FORGOTTEN_NOTEBOOK.days_ago))
    if _is_workday(starts_at):
        run_costly_notebook(pen, world, starts_at)


def _is_workday(starts_at: float) -> bool:
    return datetime.fromtimestamp(starts_at, UTC).weekday() < SATURDAY


def _at(world: World, days_ago: float) -> float:
    return world.ends_at - days_before_end(days_ago, world.days) * DAY_S


def _is_day(world: World, day: int, days_ago: float) -> bool:
    return day == int(_at(world, days_ago) // DAY_S) - int(world.starts_at // DAY_S)


def _publish_menu(pen: Pen, at: float, version: str) -> None:
    """A release says which menu items there are: the list against which "never used" is judged."""
    pen.write(
        at + 60,
        "package-published",
        user=ADMINISTRATOR,
        source="server",
        entity=Entity(type="package", id=RELEASE.package, name=RELEASE.package),
        parameters={"package": RELEASE.package, "version": version, "menuItems": list(menu_items())},
        **_PLATFORM,
    )


def _announce_release(pen: Pen, at: float) -> None:
    """A type of the company's own, which no catalogue knows; and the error is seen once, however small the story."""
    told = {"package": RELEASE.package, "version": RELEASE.version}
    pen.write(at + 90, "release-announced", user=ADMINISTRATOR, source="server", parameters=told, **_PLATFORM)
    looked = told | {"viewer": RELEASE.viewer}
    where = _PLATFORM | {"user": ADMINISTRATOR, "request_id": f"{RELEASE.package}-{RELEASE.version}"}
    pen.write(at + 600, "viewer-rendered", level="usage", duration_ms=90.0, parameters=looked, **where)
    pen.write(
        at + 600.3,
        "error",
        description=errors.RELEASE_GROUP.message,
        parameters=looked,
        **errors.fields_of(errors.RELEASE_GROUP, 0),
        **where,
    )


def _welcome_groups(pen: Pen, world: World) -> None:
    for group in world.groups:
        pen.write(
            world.starts_at + 30 + pen.dice.random() * 60,
            "security-admin-group-create",
            user=ADMINISTRATOR,
            source="server",
            entity=Entity(type="group", id=group.name, name=group.name),
            parameters={"parent": group.parent, "members": group.members[:1000]},
            **_DESIGN,
        )


def _planted_dataset(world: World) -> Thing:
    return next(thing for thing in world.every if thing.entity.id == MOVED_DATASET.id)


def _move_dataset(pen: Pen, world: World) -> None:
    fact = MOVED_DATASET
    at = _at(world, fact.days_ago)
    pen.write(
        at,
        "dataset-save",
        user=fact.by,
        source="server",
        entities=[_planted_dataset(world).entity, world.by_key[fact.project].entity],
        parameters={
            "projectKey": fact.project,
            "changed": ["connection", "table"],
            "before": {"connection": fact.connection_before, "table": fact.table_before},
            "after": {"connection": fact.connection_after, "table": fact.table_after},
        },
        **_DESIGN,
    )


def _probe(pen: Pen, starts_at: float, attempts: int, *, last: bool) -> None:
    """Failed logins at night, each from another address; at last the account is locked."""
    dice = pen.dice
    at = starts_at + 2.2 * 3600
    for _ in range(attempts):
        at += dice.uniform(2, 40)
        address = PROBED_ACCOUNT.address.format(dice.randrange(1, 255))
        pen.write(
            at,
            "login-failure",
            topic="authfail",
            user=PROBED_ACCOUNT.login,
            source="server",
            status="failed",
            description="wrong password",
            parameters={"login": PROBED_ACCOUNT.login, "clientIP": address, "reason": "wrong password"},
            **_DESIGN,
        )
    if last:
        pen.write(
            at + 5,
            "denied",
            topic="authfail",
            user=PROBED_ACCOUNT.login,
            source="server",
            status="denied",
            description="account locked after too many failed logins",
            parameters={"login": PROBED_ACCOUNT.login, "clientIP": address, "reason": "account locked"},
            **_DESIGN,
        )


def _export_en_masse(pen: Pen, world: World, starts_at: float, count: int) -> None:
    dice = pen.dice
    session = seeded_uuid(dice)
    at = starts_at + MASS_EXPORT.hour * 3600
    datasets = [thing for thing in world.every if thing.kind == "dataset"]
    for number in range(count):
        thing = datasets[number % len(datasets)]
        at += dice.uniform(3, 25)
        rows = int(dice.lognormvariate(11, 0.8))
        pen.write(
            at,
            "dataset-export",
            user=MASS_EXPORT.login,
            session=session,
            source="server",
            entities=[thing.entity, world.by_key[thing.project].entity],
            status="done",
            duration_ms=round(dice.lognormvariate(8.4, 0.5), 1),
            parameters={"projectKey": thing.project, "format": "csv", "rows": rows, "bytes": rows * 212},
            **_DESIGN,
        )
