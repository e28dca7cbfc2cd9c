"""The people of the story: departments, offices, habits, who comes and who goes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from whodid.demo import vocabulary
from whodid.demo.calendar import Office, is_working_day
from whodid.demo.story import CHARACTERS, FADING_USER, MASS_EXPORT, days_before_end

_LEAVE_DAYS: Final = (4, 9, 14)
_JOINING_SHARE: Final = 0.06
_LEAVING_SHARE: Final = 0.04
_SICK_SHARE: Final = 0.025


@dataclass(slots=True)
class Person:
    """A person and habits: when the day begins, how much is done, which way of working (`cluster`).

    `joined` and `left` are days of the story (0 is its first); before and after the person is not seen.
    """

    login: str
    name: str
    department: str
    division: str
    cluster: str
    office: Office
    start_h: float
    activity: float
    address: str
    joined: int
    left: int
    leave: tuple[range, ...]
    weekend_worker: bool

    def is_present(self, day: int, at: date, dice: random.Random) -> bool:
        """Whether the person works on that day of the story."""
        if not self.joined <= day <= self.left or any(day in days for days in self.leave):
            return False
        if not is_working_day(self.office, at):
            return self.weekend_worker and dice.random() < 0.12
        return dice.random() > _SICK_SHARE


@dataclass(slots=True)
class Group:
    """A group of people; groups nest by `parent`."""

    name: str
    parent: str | None
    members: list[str]


def make_people(count: int, days: int, dice: random.Random) -> list[Person]:
    """`count` people (the characters of the story among them), the same for the same dice."""
    words = vocabulary.people()
    offices = {row["name"]: _office(row) for row in words["offices"]}
    departments = {row["name"]: row for row in words["departments"]}
    shares = [row["share"] for row in words["departments"]]
    office_shares = [row["share"] for row in words["offices"]]
    logins = {character.login for character in CHARACTERS}
    people = [
        _person(c.login, f"{c.first_name} {c.last_name}", departments[c.department], offices[c.office], days, dice)
        for c in CHARACTERS
    ]
    for person in people:
        _cast(person, days)
    while len(people) < count:
        first, last = dice.choice(words["first_names"]), dice.choice(words["last_names"])
        login = _login(first, last, logins)
        logins.add(login)
        department = dice.choices(words["departments"], shares)[0]
        office = offices[dice.choices(words["offices"], office_shares)[0]["name"]]
        people.append(_person(login, f"{first} {last}", department, office, days, dice))
        _let_come_or_go(people[-1], days, dice)
    return people


def make_groups(people: Sequence[Person]) -> list[Group]:
    """Everyone, then divisions within it, then departments within those."""
    groups = {"Everyone": Group("Everyone", None, [])}
    for person in people:
        groups.setdefault(person.division, Group(person.division, "Everyone", []))
        groups.setdefault(person.department, Group(person.department, person.division, []))
        groups[person.department].members.append(person.login)
    return list(groups.values())


def activity_on(person: Person, day: int, days: int) -> float:
    """How much a person does on a day, as a multiple of the usual."""
    if person.login != FADING_USER.login:
        return person.activity
    first = days - days_before_end(FADING_USER.from_days_ago, days)
    last = days - days_before_end(FADING_USER.until_days_ago, days)
    left_over = min(1.0, max(0.0, (last - day) / max(1.0, last - first)))
    return person.activity * left_over


def _office(row: dict[str, Any]) -> Office:
    return Office(
        str(row["name"]),
        float(str(row["offset_h"])),
        str(row["summer"]),
        frozenset(row["holidays"]),
        str(row["address"]),
    )


def _person(
    login: str, name: str, department: dict[str, str], office: Office, days: int, dice: random.Random
) -> Person:
    leave = []
    for _ in range(1 + (days > 60)):
        first = dice.randrange(max(1, days))
        leave.append(range(first, first + dice.choice(_LEAVE_DAYS)))
    return Person(
        login=login,
        name=name,
        department=department["name"],
        division=department["division"],
        cluster=department["cluster"],
        office=office,
        start_h=dice.gauss(8.7, 0.8),
        activity=min(6.0, dice.lognormvariate(-0.2, 0.65)),
        address=office.address.format(dice.randrange(1, 250), dice.randrange(1, 250)),
        joined=0,
        left=days + 1,
        leave=tuple(leave),
        weekend_worker=dice.random() < 0.15,
    )


def _cast(person: Person, days: int) -> None:
    person.leave = ()
    person.activity = 1.2
    if person.login == FADING_USER.login:
        person.activity = FADING_USER.activity
    if person.login == MASS_EXPORT.login:
        person.left = days - int(days_before_end(MASS_EXPORT.days_ago - 3, days))


def _let_come_or_go(person: Person, days: int, dice: random.Random) -> None:
    chance = dice.random()
    if chance < _JOINING_SHARE:
        person.joined = dice.randrange(days)
    elif chance < _JOINING_SHARE + _LEAVING_SHARE:
        person.left = dice.randrange(days)


def _login(first: str, last: str, taken: set[str]) -> str:
    base = f"{first}.{last}".lower()
    login, number = base, 2
    while login in taken:
        login, number = f"{base}{number}", number + 1
    return login
