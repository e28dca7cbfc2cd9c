"""What people do to things: make, edit, share, comment, export."""

from __future__ import annotations

from typing import Final

from whodid.demo.scene import Scene
from whodid.event import Entity

# What becomes of a thing of a kind when it is edited: the event's type, what changes, from, to.
_EDITS: Final = {
    "query": ("query-edited", "limit", "LIMIT {}00", "LIMIT {}000"),
    "script": ("script-edited", "body", "alpha = 0.{}", "alpha = 0.{}5"),
    "notebook": ("notebook-edited", "cells", "{} cells", "{} cells and a chart"),
    "model": ("predictive-model-edited", "hyperparameters", "depth {}", "depth {} with early stopping"),
    "dashboard": ("dashboard-save", "title", "Revision {}", "Revision {} (draft)"),
    "dataset": ("dataset-save", "sample", "first {}000 rows", "random {}000 rows"),
    "scenario": ("scenario-save", "trigger", "every {} hours", "every {} hours on workdays"),
    "webapp": ("webapp-save", "backend", "{} threads", "{} threads, cached"),
    "job": ("job-edited", "schedule", "0 {} * * *", "30 {} * * *"),
}
_DESIGN_KINDS: Final = frozenset({"dataset", "scenario", "webapp", "notebook"})
# Types for a thing's beginning and end, where they are not `<kind>-created` and `<kind>-deleted`.
CREATED: Final = {
    "model": "predictive-model-created",
    "dashboard": "dashboard-create",
    "dataset": "dataset-create",
    "scenario": "scenario-create",
    "webapp": "webapp-create",
}
DELETED: Final = {
    "model": "predictive-model-deleted",
    "dataset": "dataset-delete",
    "scenario": "scenario-delete",
    # DSS has one name for what can be tagged and has none of its own.
    "dashboard": "taggable-object-delete",
    "webapp": "taggable-object-delete",
}
_KINDS: Final = tuple(_EDITS)
_COMMENTS: Final = (
    "Why is March missing?",
    "Checked against the source, fits.",
    "Please do not delete, the board uses this.",
    "Outliers removed, see the notebook.",
)


def edit(scene: Scene, at: float) -> float:
    """Somebody changes a thing: before and after are told."""
    kind = _KINDS[int(len(_KINDS) * scene.dice.random())]
    thing = scene.thing(kind)
    if thing is None:
        return 1.0
    type_name, field, before, after = _EDITS[kind]
    thing.revision += 1
    write = scene.write_design if kind in _DESIGN_KINDS else scene.write
    write(
        at,
        type_name,
        entities=[thing.entity, scene.project.entity],
        parameters={
            "changed": [field],
            "before": {field: before.format(thing.revision)},
            "after": {field: after.format(thing.revision)},
            "revision": thing.revision,
        },
    )
    return 180.0


def create(scene: Scene, at: float) -> float:
    """Somebody makes a draft that nobody else will know."""
    name = f"Draft {scene.dice.getrandbits(20)}"
    entity = Entity(type="query", id=f"{scene.dice.getrandbits(96):024x}", name=name)
    scene.write(at, "query-created", entities=[entity, scene.project.entity], parameters={"name": name})
    return 120.0


def share(scene: Scene, at: float) -> float:
    """Somebody lets a group see a thing."""
    thing = scene.thing(("query", "dashboard", "notebook", "model")[scene.dice.getrandbits(2)])
    if thing is None:
        return 1.0
    other = scene.world.people[int(len(scene.world.people) * scene.dice.random())]
    scene.write(
        at,
        "entity-shared",
        source="server",
        entities=[thing.entity, scene.project.entity],
        description="@user shared it with @group",
        parameters={"group": other.department, "permission": "edit" if scene.dice.random() < 0.3 else "view"},
    )
    return 40.0


def comment(scene: Scene, at: float) -> float:
    """Somebody says something about a thing."""
    thing = scene.thing("dashboard")
    if thing is None:
        return 1.0
    scene.write(
        at,
        "comment-posted",
        entities=[thing.entity, scene.project.entity],
        parameters={"text": _COMMENTS[scene.dice.getrandbits(2)]},
    )
    return 60.0


def export_dataset(scene: Scene, at: float) -> float:
    """Somebody takes data out."""
    thing = scene.thing("dataset")
    if thing is None:
        return 1.0
    rows = int(scene.dice.lognormvariate(8.5, 1.3))
    scene.write_design(
        at,
        "dataset-export",
        entities=[thing.entity, scene.project.entity],
        duration_ms=scene.duration(1400, 0.8),
        status="done",
        parameters={"format": "csv" if scene.dice.random() < 0.6 else "excel", "rows": rows, "bytes": rows * 212},
    )
    return 60.0


def export_project(scene: Scene, at: float) -> float:
    """Somebody takes a whole project out."""
    duration_ms = scene.duration(9000, 0.6)
    scene.write_design(at, "project-export-download", entity=scene.project.entity, duration_ms=duration_ms)
    return 120.0
