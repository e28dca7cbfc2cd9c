"""Tells the story day by day: how much happens on each, who is there, and in which order it is read."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from itertools import accumulate
from typing import Any, Final, NamedTuple

from whodid.demo.activities import actions_of
from whodid.demo.api import query_services
from whodid.demo.calendar import utc_offset_h
from whodid.demo.compute import use_compute
from whodid.demo.pen import DAY_S, Pen
from whodid.demo.people import Group, Person, activity_on, make_groups, make_people
from whodid.demo.planted import plant
from whodid.demo.programs import make_things_come_and_go, run_programs
from whodid.demo.projects import World
from whodid.demo.scene import PLATFORM_NODE, Scene
from whodid.demo.story import DRIFT, days_before_end
from whodid.errors import WhodidError
from whodid.event import Event

EVENTS_DEFAULT: Final = 200_000
_DAYS_MAX: Final = 3_660
# Of a usual day's events; people have the rest.
_PROGRAMS_SHARE: Final = 0.11
_API_SHARE: Final = 0.13
_COMPUTE_SHARE: Final = 0.09
_PROGRAMS_WEIGHT: Final = 0.33
_SLOW_DAY_CHANCE: Final = 0.04
_WORKDAY_S: Final = 8.5 * 3600


class _Day(NamedTuple):
    """A day of the story: its number, midnight (UTC, epoch seconds), who is there how active, and how slow all is.

    `inside` is the part of the day that belongs to the story (its first and its last day are cut), `share` how much of
    the story that part is.
    """

    number: int
    starts_at: float
    present: list[tuple[Person, float]]
    slow: float
    inside: float
    share: float


def generate(*, events: int, days: int, seed: int, end: datetime) -> Iterator[Event]:
    """Tell a story of about `events` events in the `days` days before `end`, oldest first.

    events  1 or more; the story has as many within a few percent (a few hundred at least: the planted facts).
    days    1 to 3,660.
    seed    the same arguments tell the same story, ids included.
    end     with a zone; the last moment, which is not part of the story.
    Raises  WhodidError("invalid")  an argument is out of bounds.
    """
    if events < 1 or not 1 <= days <= _DAYS_MAX or end.tzinfo is None:
        raise WhodidError("invalid", f"A story needs 1 or more events, 1 to {_DAYS_MAX} days and an end with a zone.")
    return _tell(events, days, seed, end.astimezone(UTC))


def groups(*, events: int, days: int, seed: int) -> list[Group]:
    """The groups of the people of the story that `generate` tells for the same arguments."""
    return make_groups(_people(events, days, random.Random(seed)))  # noqa: S311 (no secret)


def _people(events: int, days: int, dice: random.Random) -> list[Person]:
    return make_people(max(24, min(2_000, round(150 * _scale(events)))), days, dice)


def _scale(events: int) -> float:
    """How many people and things there are, as a multiple of a story of the usual size."""
    return min(4.0, max(0.25, math.sqrt(events / EVENTS_DEFAULT)))


def _tell(events: int, days: int, seed: int, end: datetime) -> Iterator[Event]:
    dice = random.Random(seed)  # noqa: S311 (no secret)
    begin = end - timedelta(days=days)
    people = _people(events, days, dice)
    world = World(people, days, _scale(events), dice)
    world.set_time(begin.timestamp(), end.timestamp())
    calendar = _calendar(world, begin, end, dice)
    total = sum(day.share for day in calendar)
    targets = [events * share / total for share in accumulate(day.share for day in calendar)]
    pen, told = Pen(dice), 0
    for day, target in zip(calendar, targets, strict=True):
        count = (round(target) - told - len(pen.written)) / max(0.1, day.inside)
        _write_day(pen, world, day, int(count), min(1.0, events / EVENTS_DEFAULT))
        until = datetime.fromtimestamp(day.starts_at + DAY_S, UTC)
        for event in pen.take(min(until, end)):
            if event.time >= begin:
                told += 1
                yield event


def _calendar(world: World, begin: datetime, end: datetime, dice: random.Random) -> list[_Day]:
    days = []
    midnight = datetime.combine(begin.date(), time(), UTC)
    number = 0
    while midnight < end:
        present = [
            (person, activity_on(person, number, world.days) * dice.lognormvariate(0, 0.35))
            for person in world.people
            if person.is_present(number, midnight.date(), dice)
        ]
        slow = dice.uniform(2.5, 4.5) if dice.random() < _SLOW_DAY_CHANCE else dice.uniform(0.9, 1.1)
        starts_at = midnight.timestamp()
        inside = (min(end.timestamp(), starts_at + DAY_S) - max(begin.timestamp(), starts_at)) / DAY_S
        weight = sum(activity for _, activity in present) + _PROGRAMS_WEIGHT * len(world.people)
        days.append(_Day(number, starts_at, present, slow, inside, weight * inside))
        midnight += timedelta(days=1)
        number += 1
    return days


def _write_day(pen: Pen, world: World, day: _Day, count: int, scale: float) -> None:
    first = len(pen.written)
    plant(pen, world, day.number, day.starts_at, scale)
    make_things_come_and_go(pen, world, day.number, day.starts_at)
    usual = count / (1 + len(day.present) / max(1, len(world.people)))
    run_programs(pen, world, day.number, day.starts_at, int(usual * _PROGRAMS_SHARE * 1.5), day.slow)
    use_compute(pen, world, day.number, day.starts_at, int(usual * _COMPUTE_SHARE * 1.5))
    drift_from = world.ends_at - days_before_end(DRIFT.days_ago, world.days) * DAY_S
    query_services(pen, day.starts_at, int(usual * _API_SHARE * 1.5), day.slow, drift_from)
    left = count - (len(pen.written) - first)
    activity = sum(activity for _, activity in day.present)
    for person, share in day.present:
        allowance = left * share / activity
        whole = int(allowance) + (pen.dice.random() < allowance % 1)
        _work(pen, world, person, day, whole)


def _work(pen: Pen, world: World, person: Person, day: _Day, allowance: int) -> None:
    """One person's day: one or more sessions until the allowance of events is used up."""
    dice = pen.dice
    offset_h = utc_offset_h(person.office, datetime.fromtimestamp(day.starts_at, UTC).date())
    at = day.starts_at + (person.start_h + dice.gauss(0, 0.5) - offset_h) * 3600
    until = len(pen.written) + allowance
    sessions = 1 + (allowance > 12) + (allowance > 60)
    for number in range(sessions):
        left = until - len(pen.written)
        if left <= 0:
            return
        at = _session(pen, world, person, day, at, -(-left // (sessions - number)), _WORKDAY_S / sessions)
        at += dice.uniform(600, 3000)


def _session(pen: Pen, world: World, person: Person, day: _Day, at: float, allowance: int, length_s: float) -> float:
    dice = pen.dice
    projects = world.of_person[person.login]
    project = projects[int(len(projects) * dice.random() ** 2)]
    scene = Scene(pen, world, person, project, day.number, slow=day.slow, build=day.number // 14)
    until = len(pen.written) + allowance
    _log_in(scene, at)
    at += 2.0
    pause_s = max(0.5, length_s / max(4.0, allowance * 0.75))
    actions = actions_of(person.cluster)
    latest = day.starts_at + DAY_S * 1.4
    while len(pen.written) < until - 1:
        took_s = actions[int(len(actions) * dice.random())](scene, at)
        at = min(latest, at + min(took_s, pause_s) + dice.expovariate(1 / pause_s) * 0.8)
    if dice.random() < 0.7:
        scene.write(at, "logout", status="done")
    return at


def _log_in(scene: Scene, at: float) -> None:
    """A login, now and then after a mistyped password."""
    told: dict[str, Any] = {"clientIP": scene.person.address}
    if scene.dice.random() < 0.03:
        scene.pen.write(
            at - 20,
            "login-failure",
            topic="authfail",
            user=scene.person.login,
            source="server",
            status="failed",
            parameters={**told, "login": scene.person.login, "reason": "wrong password"},
            **PLATFORM_NODE,
        )
    scene.write(at, "login-success", source="server", status="success", parameters=told)
