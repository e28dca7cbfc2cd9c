"""What people do in a session: rows of actions, and how often each way of working chooses them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from whodid.demo import errors, vocabulary
from whodid.demo.editing import comment, create, edit, export_dataset, export_project, share
from whodid.demo.scene import Scene
from whodid.demo.story import RELEASE, UNUSED_MENU_ITEM, days_before_end

Action = Callable[[Scene, float], float]

_REGIONS: Final = ("EMEA", "AMER", "APAC")
# Menus that a way of working prefers, and those it never opens.
_OWN_MENUS: Final[dict[str, tuple[str, ...]]] = {
    "scientist": ("Chem |", "Bio |"),
    "analyst": ("Data |", "Add |"),
    "engineer": ("ML |", "Tools |"),
}
_FOREIGN_MENUS: Final[dict[str, tuple[str, ...]]] = {
    "analyst": ("Chem |", "Bio |"),
    "engineer": ("Bio |",),
    "manager": ("Chem |", "Bio |", "ML |"),
}
_TARGETS: Final = ("toolbar", "grid", "filter", "ribbon")


class Choice(NamedTuple):
    """An action, and how often each way of working chooses it."""

    action: Action
    scientist: int
    analyst: int
    engineer: int
    manager: int
    admin: int


def actions_of(cluster: str) -> Sequence[Action]:
    """The actions of a way of working, each as often as it is chosen: pick one evenly."""
    return _actions()[cluster]


def open_project(scene: Scene, at: float) -> float:
    scene.write(at, "project-opened", level="usage", entity=scene.project.entity)
    return 8.0


def run_query(scene: Scene, at: float) -> float:
    query = scene.thing("query")
    if query is None:
        return 1.0
    request = scene.request()
    dice = scene.dice
    duration = scene.duration(query.duration_ms, 0.7)
    failed = dice.random() < 0.05
    rows = int(dice.lognormvariate(6.5, 1.6))
    scene.write(at - 0.2, "click", level="usage", request_id=request, parameters={"target": "run query"})
    scene.write(
        at,
        "query-start",
        source="server",
        entities=[query.entity, scene.project.entity],
        function=query.function,
        duration_ms=duration,
        request_id=request,
        status="failed" if failed else "done",
        description="@query was run",
        parameters={
            "query": query.entity.name,
            "connection": query.connection,
            "region": _REGIONS[dice.getrandbits(8) % 3],
            "limit": 1000 if dice.random() < 0.7 else 50_000,
            "rows": 0 if failed else rows,
        },
    )
    done = at + duration / 1000
    if failed:
        scene.fail(done, "query", entity=query.entity, function=query.function, request_id=request)
        return 20.0
    scene.write(
        done,
        "table-produced",
        source="server",
        entity=query.entity,
        request_id=request,
        parameters={"rows": rows, "columns": 4 + rows % 13},
    )
    render(scene, done + 0.4, request)
    return duration / 1000 + 20.0


def run_function(scene: Scene, at: float) -> float:
    functions = vocabulary.things()["functions"][scene.person.cluster]
    dice = scene.dice
    name, median_ms, deviation = functions[int(len(functions) * dice.random() ** 1.7)]
    request = scene.request()
    duration = scene.duration(median_ms, deviation)
    rows = int(dice.lognormvariate(7, 1.2))
    scene.write(
        at,
        "action-start",
        source="client",
        function=name,
        duration_ms=duration,
        request_id=request,
        status="done",
        parameters={"table": f"{scene.project.entity.name} table", "rows": rows, "result": f"{rows // 7} groups"},
    )
    return duration / 1000 + 12.0


def run_script(scene: Scene, at: float) -> float:
    script = scene.thing("script")
    if script is None:
        return 1.0
    request = scene.request()
    duration = scene.duration(script.duration_ms * 4, 0.9)
    failed = scene.dice.random() < 0.07
    scene.write(
        at,
        "script-start",
        source="server",
        entities=[script.entity, scene.project.entity, *script.inputs],
        function=script.function,
        duration_ms=duration,
        request_id=request,
        status="failed" if failed else "done",
        parameters={"language": "r" if script.duration_ms > 900 else "python", "threads": 4},
    )
    if failed:
        scene.fail(at + duration / 1000, "script", entity=script.entity, function=script.function, request_id=request)
    return duration / 1000 + 15.0


def run_notebook(scene: Scene, at: float) -> float:
    notebook = scene.thing("notebook")
    if notebook is None:
        return 1.0
    duration = scene.duration(notebook.duration_ms * 20, 0.9)
    scene.write_design(
        at,
        "notebook-start",
        entities=[notebook.entity, scene.project.entity, *notebook.inputs],
        function=notebook.function,
        duration_ms=duration,
        status="done",
        parameters={"kernel": "python3", "cells": 4 + notebook.revision},
    )
    if scene.dice.random() < 0.09:
        scene.fail(at + duration / 1000, "notebook", entity=notebook.entity, function=notebook.function)
    return min(duration / 1000, 1200.0) + 60.0


def run_model(scene: Scene, at: float) -> float:
    model = scene.thing("model")
    if model is None:
        return 1.0
    duration = scene.duration(model.duration_ms * 3, 0.8)
    scene.write(
        at,
        "predictive-model-start",
        source="server",
        entities=[model.entity, scene.project.entity, *model.inputs],
        function=model.function,
        duration_ms=duration,
        request_id=scene.request(),
        status="done",
        parameters={"algorithm": "random forest", "rows": int(scene.dice.lognormvariate(8, 1))},
    )
    return duration / 1000 + 20.0


def read_dataset(scene: Scene, at: float) -> float:
    dataset = scene.thing("dataset")
    if dataset is None:
        return 1.0
    scene.write_design(
        at,
        "dataset-read-data-sample",
        entities=[dataset.entity, scene.project.entity],
        duration_ms=scene.duration(380, 0.7),
        parameters={"datasetName": dataset.entity.name, "connection": dataset.connection},
    )
    return 30.0


def view_dashboard(scene: Scene, at: float) -> float:
    dashboard = scene.thing("dashboard")
    if dashboard is None:
        return 1.0
    scene.write(
        at, "dashboard-read-meta", level="usage", entities=[dashboard.entity, scene.project.entity, *dashboard.inputs]
    )
    for number in range(1 + scene.dice.getrandbits(1)):
        render(scene, at + 0.6 + number)
    return 45.0


def render(scene: Scene, at: float, request: str | None = None) -> None:
    """A viewer is shown, perhaps with what a request brought; since its release, one of them often fails."""
    viewers = vocabulary.things()["viewers"][scene.person.cluster]
    dice = scene.dice
    viewer = viewers[int(len(viewers) * dice.random() ** 1.5)]
    parameters: dict[str, Any] = {"viewer": viewer}
    if viewer == RELEASE.viewer:
        released = at >= release_at(scene)
        version = RELEASE.version if released else RELEASE.previous_version
        parameters |= {"package": RELEASE.package, "version": version}
        if released and dice.random() < RELEASE.share:
            scene.write(
                at + 0.3,
                "error",
                description=errors.RELEASE_GROUP.message,
                entity=scene.project.entity,
                request_id=request,
                parameters={"package": RELEASE.package, "version": version, "viewer": viewer},
                **errors.fields_of(errors.RELEASE_GROUP, scene.build),
            )
    took_ms = scene.duration(90, 0.5)
    scene.write(at, "viewer-rendered", level="usage", duration_ms=took_ms, request_id=request, parameters=parameters)
    if dice.random() < 0.04:
        scene.fail(at + 0.2, "view", request_id=request, parameters={"viewer": viewer})


def release_at(scene: Scene) -> float:
    """When the faulty version of the story came out, in epoch seconds."""
    return scene.world.ends_at - days_before_end(RELEASE.days_ago, scene.world.days) * 86_400


def add_viewer(scene: Scene, at: float) -> float:
    render(scene, at)
    return 14.0


def click_menu(scene: Scene, at: float) -> float:
    items = menu_of(scene.person.cluster)
    item = items[int(len(items) * scene.dice.random() ** 1.4)]
    scene.write(at, "main-menu-item-click", level="usage", description="@item was clicked", parameters={"item": item})
    return 6.0


def use_dialog(scene: Scene, at: float) -> float:
    dialogs = vocabulary.things()["dialogs"]
    dialog = dialogs[int(len(dialogs) * scene.dice.random() ** 1.3)]
    closing = scene.dice.random()
    scene.write(at, "dialog show", level="usage", parameters={"dialog": dialog})
    scene.write(
        at + 4 + 30 * closing,
        "dialog-ok" if closing < 0.8 else "dialog close",
        level="usage",
        parameters={"dialog": dialog},
    )
    return 40.0


def click(scene: Scene, at: float) -> float:
    scene.write(at, "click", level="usage", parameters={"target": _TARGETS[scene.dice.getrandbits(2)]})
    return 5.0


def navigate(scene: Scene, at: float) -> float:
    scene.write(at, "navigate", level="usage", parameters={"to": f"/{scene.project.key.lower()}"})
    return 7.0


def look_at_sessions(scene: Scene, at: float) -> float:
    count = 20 + scene.dice.getrandbits(5)
    scene.write(at, "log", level="info", description="sessions were listed", parameters={"count": count})
    return 60.0


@functools.cache
def menu_of(cluster: str) -> tuple[str, ...]:
    """The menu items that a way of working uses, the usual ones first; the one that nobody uses is in none."""
    own, foreign = _OWN_MENUS.get(cluster, ()), _FOREIGN_MENUS.get(cluster, ())
    used = [item for item in vocabulary.menu_items() if item != UNUSED_MENU_ITEM and not item.startswith(foreign)]
    return tuple(sorted(used, key=lambda item: not item.startswith(own)))


CHOICES: Final = (
    #      action          scientist analyst engineer manager admin
    Choice(open_project, 8, 9, 7, 14, 10),
    Choice(run_query, 5, 22, 10, 6, 8),
    Choice(run_function, 24, 14, 10, 2, 8),
    Choice(run_script, 12, 1, 12, 0, 8),
    Choice(run_notebook, 12, 1, 10, 0, 2),
    Choice(run_model, 9, 1, 8, 0, 0),
    Choice(read_dataset, 8, 10, 14, 4, 6),
    Choice(view_dashboard, 2, 18, 3, 34, 6),
    Choice(add_viewer, 20, 12, 4, 4, 2),
    Choice(click_menu, 12, 14, 8, 8, 10),
    Choice(use_dialog, 8, 10, 6, 4, 8),
    Choice(click, 6, 8, 6, 12, 10),
    Choice(navigate, 4, 6, 4, 10, 8),
    Choice(edit, 5, 4, 12, 1, 6),
    Choice(create, 1, 1, 2, 0, 1),
    Choice(share, 1, 2, 1, 2, 4),
    Choice(comment, 1, 1, 1, 2, 0),
    Choice(export_dataset, 1, 3, 2, 1, 0),
    Choice(export_project, 0, 0, 1, 0, 2),
    Choice(look_at_sessions, 0, 0, 0, 0, 12),
)


@functools.cache
def _actions() -> dict[str, tuple[Action, ...]]:
    clusters = Choice._fields[1:]
    return {
        cluster: tuple(choice.action for choice in CHOICES for _ in range(getattr(choice, cluster)))
        for cluster in clusters
    }
