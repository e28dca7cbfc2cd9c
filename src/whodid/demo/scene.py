"""A session of one person: who acts, where, and how an action becomes events."""

from __future__ import annotations

import random
from typing import Any, Final

from whodid.demo import errors
from whodid.demo.pen import Pen, seeded_uuid
from whodid.demo.people import Person
from whodid.demo.projects import Project, Thing, World
from whodid.event import Entity

PLATFORM_NODE: Final[dict[str, Any]] = {"node": "platform-1", "node_type": "server"}
DESIGN_NODE: Final[dict[str, Any]] = {"node": "dss-design", "node_type": "design"}


class Scene:
    """What an action knows: person, session, project, day of the story and the world around."""

    def __init__(self, pen: Pen, world: World, person: Person, project: Project, day: int, *, slow: float, build: int):
        self.pen = pen
        self.dice: random.Random = pen.dice
        self.world = world
        self.person = person
        self.project = project
        self.day = day
        self.slow = slow
        self.build = build
        self.session = seeded_uuid(pen.dice)

    def write(self, at: float, type: str, **fields: Any) -> None:
        """Write an event of this person in this session, as the platform tells it."""
        self.pen.write(at, type, user=self.person.login, session=self.session, **PLATFORM_NODE, **fields)

    def write_design(self, at: float, type: str, *, parameters: dict[str, Any] | None = None, **fields: Any) -> None:
        """Write what a DSS design node says about a person in the browser."""
        told = {"authSource": "USER_FROM_UI", "projectKey": self.project.key}
        if parameters:
            told |= parameters
        self.pen.write(
            at,
            type,
            user=self.person.login,
            session=self.session,
            source="server",
            parameters=told,
            **DESIGN_NODE,
            **fields,
        )

    def thing(self, kind: str) -> Thing | None:
        """A thing of the project, the popular ones more often."""
        return self.world.thing(self.project, kind, self.day, self.dice)

    def duration(self, median_ms: float, deviation: float = 0.6) -> float:
        """A log-normal run time in milliseconds; everything is slower on a slow day."""
        return round(median_ms * self.slow * self.dice.lognormvariate(0.0, deviation), 1)

    def request(self) -> str:
        """The id that joins what the browser and the server tell of one request."""
        return f"{self.dice.getrandbits(48):012x}"

    def fail(self, at: float, place: str, *, entity: Entity | None = None, **fields: Any) -> None:
        """Write the error of a place."""
        group = errors.of_place(place, self.dice)
        self.write(
            at,
            "error",
            entity=entity,
            description=group.message,
            **fields,
            **errors.fields_of(group, self.build),
        )
