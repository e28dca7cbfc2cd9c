"""The things people work with: projects and what is in them, each with a life of its own."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from whodid.demo import vocabulary
from whodid.demo.pen import seeded_uuid
from whodid.demo.people import Person, make_groups
from whodid.demo.story import COSTLY_NOTEBOOK, MOVED_DATASET
from whodid.event import Entity

FOREVER: Final = 10**6
# Kinds that the DSS nodes know by project and name; the others have a UUID.
_NAMED_KINDS: Final = frozenset({"dataset", "scenario", "webapp", "job", "notebook", "model"})
_BORN_IN_STORY_SHARE: Final = 0.18
_DYING_SHARE: Final = 0.05


@dataclass(slots=True)
class Thing:
    """A thing with its owner, days of birth and death (days of the story), usual run time and revision.

    `inputs` are the datasets that it is made from or reads; a dataset without any comes from `table` of its connection.
    """

    kind: str
    project: str
    entity: Entity
    owner: Person
    born: int
    dies: int
    function: str
    duration_ms: float
    connection: str
    table: str = ""
    revision: int = 1
    inputs: list[Entity] = field(default_factory=list)

    @property
    def sources(self) -> list[Entity]:
        """What it is made from, in the role of an input."""
        if self.inputs or self.kind != "dataset":
            return self.inputs
        name = f"{self.connection}/{self.table}"
        return [Entity(type="table", id=name, name=self.table, role="input")]


@dataclass(slots=True)
class Project:
    """A project, the people whose departments work in it, and its things by kind, the most used first."""

    key: str
    entity: Entity
    people: list[Person]
    things: dict[str, list[Thing]]


class World:
    """All projects, and which of them each person works in."""

    def __init__(self, people: Sequence[Person], days: int, scale: float, dice: random.Random):
        self.people = list(people)
        self.days = days
        self.groups = make_groups(people)
        self.starts_at = self.ends_at = 0.0
        self.by_login = {person.login: person for person in people}
        self.projects = [_project(row, self.people, days, scale, dice) for row in vocabulary.things()["projects"]]
        self.by_key = {project.key: project for project in self.projects}
        self.connections: list[str] = [name for name, _ in vocabulary.things()["connections"]]
        self.of_person = {person.login: self._projects_of(person, dice) for person in people}
        self._plant()
        self.every = [thing for project in self.projects for things in project.things.values() for thing in things]

    def set_time(self, starts_at: float, ends_at: float) -> None:
        """Say when the story begins and ends, in epoch seconds."""
        self.starts_at, self.ends_at = starts_at, ends_at

    def thing(self, project: Project, kind: str, day: int, dice: random.Random) -> Thing | None:
        """One of the project's things of a kind that lives on that day; the first ones far more often."""
        things = project.things[kind]
        for _ in range(4):
            thing = things[int(len(things) * dice.random() ** 2.2)]
            if thing.born <= day < thing.dies:
                return thing
        return None

    def _projects_of(self, person: Person, dice: random.Random) -> list[Project]:
        own = [project for project in self.projects if person in project.people]
        if dice.random() < 0.25 or not own:
            own.append(dice.choice(self.projects))
        dice.shuffle(own)
        return own

    def _plant(self) -> None:
        for kind, planted in (("dataset", MOVED_DATASET), ("notebook", COSTLY_NOTEBOOK)):
            things = self.by_key[planted.project].things[kind]
            things[1:] = [thing for thing in things[1:] if thing.entity.id != planted.id]
            thing = things[0]
            thing.entity = Entity(type=kind, id=planted.id, name=planted.name)
            thing.owner = self.by_login[planted.by]
            thing.born, thing.dies = -200, FOREVER
            if isinstance(planted, type(MOVED_DATASET)):
                thing.connection, thing.table = planted.connection_before, planted.table_before
        for project in self.projects:
            _join(project)


def _project(row: dict[str, Any], everyone: Sequence[Person], days: int, scale: float, dice: random.Random) -> Project:
    people = [person for person in everyone if person.department in row["departments"]] or list(everyone[:3])
    words = vocabulary.things()
    things: dict[str, list[Thing]] = {}
    for kind, template in words["kinds"].items():
        count = max(1, round(template["per_project"] * scale))
        things[kind] = [_thing(kind, template["names"], row, number, people, days, dice) for number in range(count)]
    entity = Entity(type="project", id=row["key"], name=row["name"])
    return Project(row["key"], entity, people, things)


def _join(project: Project) -> None:
    """Lay the project's flow: the first datasets come from tables, the others from them, and the rest reads those."""
    datasets = project.things["dataset"]
    first = max(1, len(datasets) // 3)
    for place, dataset in enumerate(datasets[first:], first):
        dataset.inputs = _inputs(datasets, {place % first, place // 2} - {place})
    for kind in ("script", "notebook", "model", "dashboard"):
        for place, thing in enumerate(project.things[kind]):
            thing.inputs = _inputs(datasets, {place % len(datasets)})


def _inputs(datasets: Sequence[Thing], places: set[int]) -> list[Entity]:
    inputs = [datasets[place].entity for place in sorted(places)]
    return [Entity(type=one.type, id=one.id, name=one.name, role="input") for one in inputs]


def _thing(
    kind: str,
    names: Sequence[str],
    row: dict[str, Any],
    number: int,
    people: Sequence[Person],
    days: int,
    dice: random.Random,
) -> Thing:
    topics = row["topics"]
    name = names[number % len(names)].format(topics[number // len(names) % len(topics)])
    name = name[0].upper() + name[1:]
    if number >= len(names) * len(topics):
        name = f"{name} {number // (len(names) * len(topics)) + 1}"
    slug = re.sub(r"[^a-z0-9]+", "_", name.lower())
    entity_id = f"{row['key']}.{slug}" if kind in _NAMED_KINDS else seeded_uuid(dice)
    born = dice.randrange(days) if number and dice.random() < _BORN_IN_STORY_SHARE else -dice.randrange(1, 700)
    dies = FOREVER
    if number and dice.random() < _DYING_SHARE:
        dies = max(born, 0) + dice.randrange(10, 10 + days)
    return Thing(
        kind=kind,
        project=row["key"],
        entity=Entity(type=kind, id=entity_id, name=name),
        owner=dice.choice(people),
        born=born,
        dies=dies,
        function=f"{row['name'].replace(' ', '')}:{''.join(word.capitalize() for word in slug.split('_'))}",
        duration_ms=dice.lognormvariate(6.4, 1.1),
        connection=dice.choice(vocabulary.things()["connections"])[0],
        table=f"{row['key']}.{slug.upper()}",
    )
