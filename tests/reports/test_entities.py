"""Things: their history, their users, where they come from. Hand-made events, counted by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.events import entity, event
from support.reporting import Desk, at
from whodid.event import Entity, Event

ORDERS = "dataset:SALES.orders"


def step(day: int, *entities: Entity, **fields: Any) -> Event:
    return event(time=at(day), type="recipe-run", entities=list(entities), **{"user": "ann", **fields})


def dataset(name: str, role: str | None = None) -> Entity:
    return entity("dataset", f"SALES.{name}", name, role)


@pytest.mark.parametrize(
    ("kind", "fields", "verb"),
    [
        ("query-created", {}, "made"),
        ("dataset-create", {}, "made"),
        ("predictive-model-edited", {}, "edited"),
        ("dataset-save", {}, "edited"),
        ("group-changed", {}, "edited"),
        ("entity-shared", {}, "shared"),
        ("query-published", {}, "shared"),
        ("query-start", {}, "run"),
        ("flow-object-build-success", {}, "run"),
        ("scenario-run", {}, "run"),
        ("dataset-read-data-sample", {}, "read"),
        ("dataset-read-data", {"duration_ms": 3.0}, "read"),
        ("project-opened", {}, "read"),
        ("dataset-export", {}, "exported"),
        ("project-export-download", {}, "exported"),
        ("scenario-delete", {}, "deleted"),
        ("comment-posted", {}, "other"),
        ("query-start", {"level": "error"}, "failed"),
    ],
)
def test_what_was_done_is_told_in_a_word(desk: Desk, kind: str, fields: dict[str, Any], verb: str) -> None:
    desk.put(event(time=at(2), type=kind, entities=[dataset("orders")], **fields))
    assert desk.row("entity-history", entities=ORDERS)["verb"] == verb
    assert desk.row("entity-history", entities=ORDERS, verb=verb)["verb"] == verb


def test_the_history_has_what_touched_the_thing_in_any_role_with_before_and_after(desk: Desk) -> None:
    moved = {"changed": ["table"], "before": {"table": "A"}, "after": {"table": "B"}}
    desk.put(
        event(time=at(2), type="dataset-create", user="ann", entities=[dataset("orders")]),
        event(time=at(3), type="dataset-save", user="bob", entities=[dataset("orders")], parameters=moved),
        step(4, entity("script", "s-1"), dataset("orders", "input"), user="api:job", acting_for="cleo"),
        event(time=at(5), type="dataset-save", user="bob", entities=[dataset("other")]),
    )
    read, edited, made = desk.rows("entity-history", entities=ORDERS)
    assert (made["verb"], made["person"]) == ("made", "ann")
    assert json.loads(edited["before"]) == {"table": "A"}
    assert json.loads(edited["after"]) == {"table": "B"}
    assert (read["person"], read["entity_id"]) == ("cleo", "s-1")
    assert [row["person"] for row in desk.rows("entity-history", entities=ORDERS, verb="edited")] == ["bob"]


def test_a_cut_history_tells_the_newest_and_how_many_there_are(desk: Desk) -> None:
    desk.put(*(event(time=at(day), type="dataset-save", entities=[dataset("orders")]) for day in (2, 2, 3, 5, 9)))
    for limit, days in ((1, [9]), (3, [9, 5, 3]), (4, [9, 5, 3, 2]), (9, [9, 5, 3, 2, 2])):
        answer = desk.answer("entity-history", entities=ORDERS, verb="edited", limit=limit)
        assert answer.table["time"].to_pylist() == [at(day).replace(tzinfo=None) for day in days]
        assert (answer.total, answer.truncated) == (5, limit < 5)
    nothing = desk.answer("entity-history", entities=ORDERS, verb="shared")
    assert (nothing.table.num_rows, nothing.total) == (0, 0)


def test_things_are_ordered_by_use_with_their_users_and_edits(desk: Desk) -> None:
    orders = [dataset("orders")]
    desk.put(
        event(time=at(12), type="dataset-read-data", user="ann", entities=orders),
        event(time=at(13), type="dataset-save", user="bob", entities=orders),
        event(time=at(3), type="dataset-save", user="bob", entities=orders),
        event(time=at(13), type="query-start", user="bob", entities=[entity("query", "q-1")], duration_ms=1.0),
    )
    first, second = desk.rows("entities", since=at(11, 0))
    assert (first["entity_id"], first["uses"], first["previous_uses"]) == ("SALES.orders", 2, 1)
    assert (first["users"], first["edits"]) == (2, 1)
    assert (second["entity_id"], second["runs"]) == ("q-1", 1)
    assert desk.row("entities", since=at(11, 0), kind="query")["entity_id"] == "q-1"


def test_what_a_thing_takes_of_a_machine_is_no_edit_and_no_run_of_it(desk: Desk) -> None:
    orders, project = dataset("orders"), entity("project", "SALES")
    measured: dict[str, Any] = {"topic": "compute-resource-usage", "user": "ann", "entities": [orders, project]}
    desk.put(
        event(time=at(12, 8), type="compute-resource-usage-start", **measured),
        event(time=at(12, 9), type="compute-resource-usage-update", **measured),
    )
    assert desk.row("entities")["edits"] == 0
    row = desk.row("entity-users", entities=ORDERS)
    assert (row["edits"], row["runs"]) == (0, 0)
    changed = next(row for row in desk.rows("adoption") if row["measure"] == "projects changed")
    assert changed["value"] == 0


def test_who_uses_a_thing_and_how(desk: Desk) -> None:
    desk.put(
        *[event(time=at(day), type="dataset-read-data", user="ann", entities=[dataset("orders")]) for day in (2, 3)],
        event(time=at(3), type="dataset-export", user="bob", entities=[dataset("orders")]),
    )
    ann, bob = desk.rows("entity-users", entities=ORDERS)
    assert (ann["person"], ann["reads"], ann["active_days"], ann["exports"]) == ("ann", 2, 2, 0)
    assert (bob["person"], bob["exports"]) == ("bob", 1)


def ways(desk: Desk, name: str = ORDERS, **given: int) -> list[tuple[str, str, int]]:
    return [(row["from_id"], row["to_id"], row["depth"]) for row in desk.rows("origin", entity=name, **given)]


def test_a_dataset_comes_from_what_ran_and_its_inputs_and_goes_on(desk: Desk) -> None:
    recipe, project = entity("recipe", "r-1"), entity("project", "SALES")
    desk.put(
        step(2, dataset("orders", "output"), project, recipe, dataset("raw", "input")),
        step(3, dataset("orders", "output"), project, recipe, dataset("raw", "input"), status="failed"),
        step(4, entity("table", "erp/orders", role="input"), dataset("raw", "output"), via="job:SALES.j1", user="bob"),
        step(5, entity("notebook", "n-1"), dataset("orders", "input")),
        step(6, dataset("elsewhere", "output"), dataset("other", "input")),
    )
    assert ways(desk) == [
        ("erp/orders", "SALES.j1", -4),
        ("SALES.j1", "SALES.raw", -3),
        ("SALES.raw", "r-1", -2),
        ("r-1", "SALES.orders", -1),
        ("SALES.orders", "n-1", 1),
    ]
    assert ways(desk, depth=1) == [("r-1", "SALES.orders", -1), ("SALES.orders", "n-1", 1)]
    last = next(row for row in desk.rows("origin", entity=ORDERS) if row["from_id"] == "r-1")
    assert (last["runs"], last["failed"], last["age_hours"]) == (2, 1, 17 * 24 + 15)


def test_without_a_thing_that_runs_the_function_or_the_type_stands_for_it(desk: Desk) -> None:
    desk.put(
        step(2, dataset("raw", "source"), dataset("orders", "target"), function="load"),
        step(3, dataset("raw", "source"), dataset("orders", "target")),
    )
    found = [(row["from_type"], row["from_id"]) for row in desk.rows("origin", entity=ORDERS, depth=1)]
    assert found == [("function", "load"), ("type", "recipe-run")]


def test_the_order_of_an_events_things_does_not_matter(desk: Desk) -> None:
    desk.put(
        step(2, dataset("raw", "input"), entity("script", "s-1")), step(3, dataset("orders", "output"), via="job:j")
    )
    assert ways(desk, "dataset:SALES.raw") == [("SALES.raw", "s-1", 1)]
    assert ways(desk) == [("j", "SALES.orders", -1)]


def test_builds_and_programs_that_read_are_known_without_roles(desk: Desk) -> None:
    build: dict[str, Any] = {"type": "flow-object-build-success", "via": "scenario:SALES.night"}
    read: dict[str, Any] = {"type": "dataset-read-data", "via": "webapp:SALES.shop"}
    desk.put(
        event(time=at(2), user="ann", entities=[dataset("orders")], **build),
        event(time=at(3), user="api:app", acting_for="bob", entities=[dataset("orders")], **read),
        event(time=at(3), user="bob", type="dataset-read-data", entities=[dataset("orders")]),
    )
    assert ways(desk) == [("SALES.night", "SALES.orders", -1), ("SALES.orders", "SALES.shop", 1)]


def test_a_circle_ends(desk: Desk) -> None:
    desk.put(
        step(2, entity("script", "there"), dataset("orders", "input"), dataset("copy", "output")),
        step(3, entity("script", "back"), dataset("copy", "input"), dataset("orders", "output")),
    )
    assert {(start, end) for start, end, _ in ways(desk)} == {
        ("SALES.orders", "there"),
        ("there", "SALES.copy"),
        ("SALES.copy", "back"),
        ("back", "SALES.orders"),
    }


def test_things_on_the_way_tell_when_they_were_run_and_changed(desk: Desk) -> None:
    desk.put(
        step(2, entity("recipe", "r-1"), dataset("raw", "input"), dataset("orders", "output")),
        event(time=at(3), type="recipe-save", user="bob", entities=[entity("recipe", "r-1", "Clean")]),
    )
    found = {row["id"]: row for row in desk.rows("origin-things", entity=ORDERS)}
    assert {name: row["depth"] for name, row in found.items()} == {"SALES.raw": -2, "r-1": -1, "SALES.orders": 0}
    recipe = found["r-1"]
    assert (recipe["name"], recipe["edits"], recipe["last_edit_by"]) == ("Clean", 1, "bob")
    assert recipe["last_run"] == at(2).replace(tzinfo=None)


def test_a_thing_that_nothing_is_known_of_has_no_origin(desk: Desk) -> None:
    assert desk.rows("origin", entity=ORDERS) == []
    assert desk.rows("origin") == []
    assert [row["depth"] for row in desk.rows("origin-things", entity=ORDERS)] == [0]


def test_an_origin_without_rows_has_its_columns(desk: Desk) -> None:
    desk.put(step(2, entity("recipe", "r-1"), dataset("orders", "output")))
    there, nowhere = (desk.answer("origin", entity=thing) for thing in (ORDERS, "dataset:SALES.other"))
    assert (there.total, nowhere.total) == (1, 0)
    assert nowhere.table.schema.equals(there.table.schema)
