"""What runs without anybody at the keyboard: scenarios, jobs and webapps that act for people."""

from __future__ import annotations

import random
from typing import Any, Final

from whodid.demo import errors
from whodid.demo.editing import CREATED, DELETED
from whodid.demo.pen import DAY_S, Pen
from whodid.demo.projects import Project, Thing, World
from whodid.event import Entity

_AUTOMATION: Final[dict[str, Any]] = {"node": "dss-automation", "node_type": "automation"}
_DESIGN: Final[dict[str, Any]] = {"node": "dss-design", "node_type": "design"}
_FAILED_SHARE: Final = 0.05
_WEBAPP_BACKEND: Final = "api:webapp-backend"


def run_programs(pen: Pen, world: World, day: int, starts_at: float, count: int, slow: float) -> None:
    """Write about `count` events of programs on a day that starts at `starts_at` (epoch seconds)."""
    target = len(pen.written) + count
    dice = pen.dice
    while len(pen.written) < target:
        project = world.projects[int(len(world.projects) * dice.random())]
        if dice.random() < 0.7:
            _scenario(pen, world, project, day, starts_at, slow)
        else:
            _webapp(pen, world, project, day, starts_at, slow)


def _scenario(pen: Pen, world: World, project: Project, day: int, starts_at: float, slow: float) -> None:
    dice = pen.dice
    scenario = world.thing(project, "scenario", day, dice)
    if scenario is None:
        return
    # Most run in the night, some every few hours.
    hour = dice.gauss(2.5, 1.0) if dice.random() < 0.6 else dice.uniform(0, 23)
    at = starts_at + min(max(hour, 0.0), 23.0) * 3600
    run = _Run(pen, scenario, project, at)
    both = [scenario.entity, project.entity]
    run.write("scenario-fire-trigger", entities=both, parameters={"trigger": "time"})
    run.write("scenario-run", entities=both, status="started", parameters={"runId": run.id})
    run.write("flow-job-start", entities=[run.job, project.entity], status="started")
    duration_ms, outcome = 0.0, "success"
    for _ in range(1 + dice.getrandbits(1)):
        dataset = world.thing(project, "dataset", day, dice)
        if dataset is not None and outcome == "success":
            took_ms, outcome = _build(run, dataset, project, slow)
            duration_ms += took_ms
    run.write(
        "flow-job-done",
        entities=[run.job, project.entity],
        duration_ms=round(duration_ms, 1),
        status="done" if outcome == "success" else "failed",
    )


def _build(run: _Run, dataset: Thing, project: Project, slow: float) -> tuple[float, str]:
    dice = run.pen.dice
    recipe = Entity(type="recipe", id=f"{project.key}.compute_{_slug(dataset)}", name=f"compute {dataset.entity.name}")
    output = Entity(type="dataset", id=dataset.entity.id, name=dataset.entity.name, role="output")
    entities = [output, project.entity, recipe, *dataset.sources]
    source = {"datasetName": dataset.entity.name, "connection": dataset.connection, "jobId": run.job.name}
    run.write("flow-object-build-start", entities=entities, status="started", parameters=source)
    took_ms = round(dataset.duration_ms * 25 * slow * dice.lognormvariate(0, 0.5), 1)
    run.at += took_ms / 1000
    if dice.random() >= _FAILED_SHARE:
        rows = int(dice.lognormvariate(10, 1))
        run.write(
            "flow-object-build-success",
            entities=entities,
            duration_ms=took_ms,
            status="success",
            parameters=source | {"rows": rows},
        )
        return took_ms, "success"
    group = errors.of_place("job", dice)
    run.write("flow-object-build-failed", entities=entities, duration_ms=took_ms, status="failed", parameters=source)
    run.write("error", entities=entities, description=group.message, **errors.fields_of(group, int(run.at) >> 20))
    return took_ms, "failed"


def _slug(thing: Thing) -> str:
    return thing.entity.id.partition(".")[2]


class _Run:
    """One run of a scenario: what its events have in common."""

    def __init__(self, pen: Pen, scenario: Thing, project: Project, at: float):
        self.pen = pen
        self.at = at
        self.id = f"{pen.dice.getrandbits(40):010x}"
        self.job = Entity(type="job", id=f"{project.key}.build_{self.id}", name=f"build_{self.id}")
        self._common = {
            "user": scenario.owner.login,
            "acting_for": scenario.owner.login,
            "via": f"scenario:{scenario.entity.id}",
            "request_id": self.id,
            **_AUTOMATION,
        }
        self._told = {"authSource": "SCENARIO", "projectKey": project.key, "scenarioId": scenario.entity.id}

    def write(self, type: str, *, parameters: dict[str, Any] | None = None, **fields: Any) -> None:
        told = self._told | parameters if parameters else self._told
        self.pen.write(self.at, type, parameters=told, **({"source": "server"} | self._common | fields))
        self.at += 0.2


def _webapp(pen: Pen, world: World, project: Project, day: int, starts_at: float, slow: float) -> None:
    dice: random.Random = pen.dice
    webapp = world.thing(project, "webapp", day, dice)
    dataset = world.thing(project, "dataset", day, dice)
    if webapp is None or dataset is None:
        return
    visitor = project.people[int(len(project.people) * dice.random() ** 1.5)]
    at = starts_at + min(max(dice.gauss(13, 3), 5), 22) * 3600
    request = f"{dice.getrandbits(48):012x}"
    told = {"projectKey": project.key, "webappId": webapp.entity.id}
    pen.write(
        at,
        "webapp-view",
        user=visitor.login,
        source="server",
        entities=[webapp.entity, project.entity],
        request_id=request,
        parameters=told | {"authSource": "USER_FROM_UI"},
        **_DESIGN,
    )
    pen.write(
        at + 0.3,
        "dataset-read-data",
        user=_WEBAPP_BACKEND,
        acting_for=visitor.login,
        via=f"webapp:{webapp.entity.id}",
        source="server",
        entities=[dataset.entity, project.entity],
        duration_ms=round(240 * slow * dice.lognormvariate(0, 0.6), 1),
        request_id=request,
        parameters=told | {"datasetName": dataset.entity.name, "connection": dataset.connection},
        **_DESIGN,
    )


def make_things_come_and_go(pen: Pen, world: World, day: int, starts_at: float) -> None:
    """Write the beginnings and ends of the things whose day it is."""
    for thing in world.every:
        if thing.born == day or thing.dies == day:
            types, word = (CREATED, "created") if thing.born == day else (DELETED, "deleted")
            pen.write(
                starts_at + DAY_S * pen.dice.uniform(0.35, 0.7),
                types.get(thing.kind, f"{thing.kind}-{word}"),
                user=thing.owner.login,
                source="server",
                entities=[thing.entity, world.by_key[thing.project].entity],
                parameters={"name": thing.entity.name, "projectKey": thing.project},
                **_DESIGN,
            )
