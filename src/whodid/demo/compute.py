"""Compute resource usage: processes, SQL, LLM calls and pods, told in the way of DSS (cumulative per id).

Source: `facts/dss-audit.md`, "Compute resource usage": metrics grow from start over update to complete, so that the
maximum per id counts; a query belongs to the connection whose id is its `connectionUsageId`.
"""

from __future__ import annotations

import random
from typing import Any, Final

from whodid.demo.pen import DAY_S, Pen
from whodid.demo.projects import Project, Thing, World
from whodid.demo.story import COSTLY_NOTEBOOK, FORGOTTEN_NOTEBOOK
from whodid.event import Entity

TOPIC: Final = "compute-resource-usage"
CENSUS_STEP_S: Final = 600
_IDLE_UPDATE_S: Final = 6 * 3_600
_NODE: Final[dict[str, Any]] = {"node": "dss-design", "node_type": "design"}
_CLUSTER: Final = "k8s-research"
_MODELS: Final = (("gpt-4o", 2.5, 10.0), ("claude-sonnet", 3.0, 15.0), ("mistral-small", 0.2, 0.6))


def use_compute(pen: Pen, world: World, day: int, starts_at: float, count: int) -> None:
    """Write about `count` events of compute usage on a day that starts at `starts_at` (epoch seconds)."""
    census_count = min(DAY_S // CENSUS_STEP_S, count // 4)
    target = len(pen.written) + count - census_count
    dice = pen.dice
    while len(pen.written) < target:
        project = world.projects[int(len(world.projects) * dice.random())]
        chance = dice.random()
        if chance < 0.45:
            _process(pen, world, project, day, starts_at)
        elif chance < 0.8:
            _sql(pen, project, starts_at)
        else:
            _language_model(pen, project, starts_at)
    _census(pen, world, starts_at, census_count)


def run_costly_notebook(pen: Pen, world: World, starts_at: float) -> None:
    """Write one day of the notebook that costs more than all others."""
    fact = COSTLY_NOTEBOOK
    context = _context("JUPYTER_NOTEBOOK_KERNEL", world.by_key[fact.project], fact.by, notebookName=fact.name)
    notebook = Entity(type="notebook", id=fact.id, name=fact.name)
    usage = _Usage(pen, "LOCAL_PROCESS", context, starts_at + 12.5 * 3600, notebook)
    usage.run(fact.hours_a_day * 3600, fact.memory_mb, fact.cores, updates=4, command="python")


def forget_notebook(pen: Pen, world: World, at: float) -> None:
    """Write the notebook that is begun at `at` and runs, idle, until after the story's end."""
    fact = FORGOTTEN_NOTEBOOK
    context = _context("JUPYTER_NOTEBOOK_KERNEL", world.by_key[fact.project], fact.by, notebookName=fact.name)
    usage = _Usage(pen, "LOCAL_PROCESS", context, at, Entity(type="notebook", id=fact.id, name=fact.name))
    length_s = world.ends_at - at + DAY_S
    usage.run(length_s, fact.memory_mb, fact.cores, updates=int(length_s / _IDLE_UPDATE_S), command="python")


class _Usage:
    """One thing that uses resources: start, updates and completion under one id."""

    def __init__(self, pen: Pen, kind: str, context: dict[str, Any], at: float, entity: Entity | None):
        self.pen = pen
        self.id = f"{pen.dice.getrandbits(64):016x}"
        self.kind = kind
        self.context = context
        self.at = at
        self.entities = [entity] if entity else []

    def run(self, duration_s: float, memory_mb: float, cores: float, *, updates: int, command: str) -> None:
        """A local process of `duration_s` seconds: its metrics grow with every event."""
        steps = updates + 1
        for step in range(steps + 1):
            elapsed_s = duration_s * step / steps
            block = {
                "pid": 1000 + int(self.at) % 60_000,
                "commandName": command,
                "vmRSSMB": round(memory_mb if step else 120.0, 1),
                "vmRSSTotalMBS": round(memory_mb * elapsed_s, 1),
                "cpuTotalMS": round(cores * elapsed_s * 1000),
            }
            phase = "start" if step == 0 else "complete" if step == steps else "update"
            self.tell(phase, elapsed_s, localProcess=block)

    def tell(self, phase: str, elapsed_s: float, **block: Any) -> None:
        """Write the start, an update or the completion."""
        usage: dict[str, Any] = {
            "id": self.id,
            "type": self.kind,
            "context": self.context,
            "startTime": int(self.at * 1000),
            **block,
        }
        if phase == "complete":
            usage |= {"endTime": int((self.at + elapsed_s) * 1000), "totalTime": int(elapsed_s * 1000)}
        self.pen.write(
            self.at + elapsed_s,
            f"compute-resource-usage-{phase}",
            topic=TOPIC,
            source="server",
            user=self.context["authIdentifier"],
            entities=self.entities,
            duration_ms=float(int(elapsed_s * 1000)) if phase == "complete" else None,
            via=_via(self.context),
            parameters={"computeResourceUsage": usage},
            **_NODE,
        )


def _process(pen: Pen, world: World, project: Project, day: int, starts_at: float) -> None:
    dice = pen.dice
    kind, context_type, key = _KINDS[int(len(_KINDS) * dice.random())]
    thing = world.thing(project, kind, day, dice)
    if thing is None:
        return
    context = _context(context_type, project, _someone(thing, project, dice), **{key: _name(thing)})
    at = starts_at + DAY_S * min(0.9, max(0.1, dice.gauss(0.5, 0.15)))
    usage = _Usage(pen, "LOCAL_PROCESS", context, at, thing.entity)
    usage.run(
        duration_s=min(6 * 3600.0, dice.lognormvariate(6.3, 1.1)),
        memory_mb=min(32_768.0, dice.lognormvariate(7.0, 0.7)),
        cores=min(4.0, dice.lognormvariate(-0.8, 0.6)),
        updates=dice.getrandbits(2) % 3,
        command="python" if kind != "job" else "java",
    )


_KINDS: Final = (
    ("notebook", "JUPYTER_NOTEBOOK_KERNEL", "notebookName"),
    ("webapp", "WEBAPP_BACKEND", "webappId"),
    ("job", "JOB_ACTIVITY", "jobId"),
    ("job", "JOB_MAIN_PROCESS", "jobId"),
)


def _sql(pen: Pen, project: Project, starts_at: float) -> None:
    """A connection with its queries; a query without its connection's event stays unattributed."""
    dice = pen.dice
    at = starts_at + DAY_S * min(0.95, max(0.05, dice.gauss(0.5, 0.18)))
    login = project.people[int(len(project.people) * dice.random())].login
    name = ("postgres-warehouse", "oracle-erp", "snowflake-sales", "lakehouse")[dice.getrandbits(2)]
    entity = Entity(type="connection", id=name, name=name)
    connection = _Usage(pen, "SQL_CONNECTION", _context("SQL_NOTEBOOK", project, login), at, entity)
    attributed = dice.random() > 0.05
    if attributed:
        connection.tell("start", 0.0, sqlConnection={"connection": name})
    elapsed_s = 0.0
    for _ in range(1 + dice.getrandbits(1)):
        query = _Usage(pen, "SQL_QUERY", {"type": "UNKNOWN", "authIdentifier": login}, at + elapsed_s + 1, entity)
        took_s = dice.lognormvariate(0.5, 1.2)
        block = {
            "connectionUsageId": connection.id,
            "connection": name,
            "query": f"TABLE {project.key.lower()}_{dice.randrange(9)}",
            "statementExecutionTime": int(took_s * 1000),
            "fetchedRowCount": int(dice.lognormvariate(7, 1.5)),
        }
        query.tell("complete", took_s, sqlQuery=block)
        elapsed_s += took_s + 2
    if attributed:
        connection.tell("complete", elapsed_s, sqlConnection={"connection": name})


def _language_model(pen: Pen, project: Project, starts_at: float) -> None:
    dice = pen.dice
    model, prompt_price, completion_price = _MODELS[int(len(_MODELS) * dice.random() ** 1.4)]
    login = project.people[int(len(project.people) * dice.random() ** 2)].login
    prompt, completion = int(dice.lognormvariate(7.5, 1.0)), int(dice.lognormvariate(6.2, 0.9))
    at = starts_at + DAY_S * min(0.95, max(0.05, dice.gauss(0.5, 0.15)))
    context = _context("JUPYTER_NOTEBOOK_KERNEL", project, login)
    usage = _Usage(pen, "LLM_USAGE", context, at, Entity(type="llm", id=model, name=model))
    block = {
        "llmId": f"openai:{model}",
        "llmModel": model,
        "llmType": "CUSTOM",
        "connection": "llm-gateway",
        "totalQueries": 1 + dice.getrandbits(3),
        "totalPromptTokens": prompt,
        "totalCompletionTokens": completion,
        "cacheHitQueries": dice.getrandbits(1),
        "totalComputationTimeMS": completion * 18,
        "estimatedCostUSD": round((prompt * prompt_price + completion * completion_price) / 1e6, 6),
    }
    usage.tell("complete", completion * 0.018, llmUsage=block)


def _census(pen: Pen, world: World, starts_at: float, count: int) -> None:
    """The cluster's pods every ten minutes, from the morning on for as long as `count` reaches."""
    dice = pen.dice
    first_s = 0 if count * CENSUS_STEP_S >= DAY_S else 6 * 3600
    for number in range(count):
        project = world.projects[number % 5]
        at = starts_at + (first_s + number * CENSUS_STEP_S + dice.random() * 8) % (DAY_S - 1)
        pods = [_pod(project, index, dice) for index in range(2 + dice.getrandbits(1))]
        pen.write(
            at,
            "kubernetes-cluster-usage-status",
            topic=TOPIC,
            source="server",
            entity=Entity(type="cluster", id=_CLUSTER, name=_CLUSTER),
            parameters={"clusterId": _CLUSTER, "podsStatus": {"pods": pods}},
            **_NODE,
        )


def _pod(project: Project, index: int, dice: random.Random) -> dict[str, Any]:
    execution = f"{project.key.lower()}-exec-{index}"
    return {
        "name": f"dku-{execution}",
        "namespace": "dss",
        "phase": "Running",
        "labels": {"dataiku.com/dku-execution-id": execution},
        "annotations": {"dataiku.com/dku-project-key": project.key},
        "memoryMB": round(dice.uniform(900, 3600)),
        "memoryRequestMB": 4096,
        "cpuRequestMillis": 2000,
        "cpuCurrentMillis": round(dice.uniform(100, 1900)),
    }


def _context(kind: str, project: Project, login: str, **more: str) -> dict[str, Any]:
    return {"type": kind, "projectKey": project.key, "authIdentifier": login, **more}


def _via(context: dict[str, Any]) -> str | None:
    for key, kind in (("notebookName", "notebook"), ("webappId", "webapp"), ("jobId", "job")):
        if key in context:
            return f"{kind}:{context['projectKey']}.{context[key]}"
    return None


def _name(thing: Thing) -> str:
    return thing.entity.id.split(".", 1)[-1]


def _someone(thing: Thing, project: Project, dice: random.Random) -> str:
    return thing.owner.login if dice.random() < 0.5 else dice.choice(project.people).login
