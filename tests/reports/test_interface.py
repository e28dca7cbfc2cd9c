"""Interface and packages: hand-made events, counted by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.events import entity, event
from support.reporting import Desk, at
from whodid.event import Event

SESSION = "00000000-0000-4000-8000-000000000001"
OTHER_SESSION = "00000000-0000-4000-8000-000000000002"


def menu(item: str, day: int, seconds: float = 0, user: str = "ann", **fields: Any) -> Event:
    parameters = {"item": item}
    return event(time=at(day, 9, seconds), type="main-menu-item-click", user=user, parameters=parameters, **fields)


def test_items_are_counted_by_kind_the_most_used_first(desk: Desk) -> None:
    desk.put(
        menu("Open", 2), menu("Open", 3, user="bob"), menu("Save", 3),
        event(time=at(3), type="dialog show", user="ann", parameters={"dialog": "Join"}),
        event(time=at(3), type="dialog-ok", user="ann", parameters={"dialog": "Join"}),
        event(time=at(4), type="click", user="ann", parameters={"target": "grid"}),
        event(time=at(4), type="command", user="ann", parameters={"command": "undo"}),
        event(time=at(4), type="click", user="ann"),
    )  # fmt: skip
    found = [(row["kind"], row["item"], row["uses"], row["users"]) for row in desk.rows("interface")]
    assert found == [
        ("menu", "Open", 2, 2),
        ("click", "grid", 1, 1),
        ("command", "undo", 1, 1),
        ("dialog", "Join", 1, 1),
        ("menu", "Save", 1, 1),
    ]


@pytest.mark.parametrize(
    ("seconds", "fields", "counts"),
    [
        (5, {"session": SESSION}, True),
        (5.001, {"session": SESSION}, False),
        (-1, {"session": SESSION}, False),
        (1, {"session": OTHER_SESSION}, False),
        (1, {"request_id": "r-1"}, True),
        (1, {"request_id": "r-2"}, False),
        (1, {}, False),
    ],
)
def test_an_error_follows_within_5_seconds_in_the_same_session_or_request(
    desk: Desk, seconds: float, fields: dict[str, Any], counts: bool
) -> None:
    desk.put(menu("Open", 2, session=SESSION, request_id="r-1"), menu("Save", 3, session=SESSION))
    desk.put(*[event(time=at(2, 9, seconds), level="error", **fields) for _ in range(2)])
    found = {row["item"]: (row["uses"], row["errors_after"]) for row in desk.rows("interface")}
    assert found == {"Open": (1, int(counts)), "Save": (1, 0)}


def test_only_items_followed_by_errors_are_told_when_asked(desk: Desk) -> None:
    desk.put(menu("Open", 2), menu("Open", 3), menu("Save", 4, session=SESSION))
    desk.put(event(time=at(4, 9, 1), level="error", session=SESSION))
    followed = desk.answer("interface", order="errors")
    assert ([row["item"] for row in followed.table.to_pylist()], followed.total) == (["Save"], 1)
    assert [row["item"] for row in desk.rows("interface")] == ["Open", "Save"]


def test_items_that_were_registered_and_never_used_come_first(desk: Desk) -> None:
    named = ["Open", "Old", "Rare"]
    desk.put(
        event(time=at(1), type="package-published", parameters={"package": "Chem", "menuItems": named}),
        event(
            time=at(1), type="interface-registered", entities=[entity("application", "crm")],
            parameters={"kind": "dialog", "items": ["Join"]},
        ),
        menu("Open", 12), menu("Open", 13), menu("Rare", 3), menu("Unlisted", 4),
    )  # fmt: skip
    found = [
        (row["kind"], row["item"], row["uses"], row["ever"], row["registered_by"])
        for row in desk.rows("interface-unused", since=at(11, 0), at_most=1)
    ]
    assert found == [
        ("dialog", "Join", 0, 0, "crm"),
        ("menu", "Old", 0, 0, "Chem"),
        ("menu", "Rare", 0, 1, "Chem"),
        ("menu", "Unlisted", 0, 1, None),
    ]


def test_packages_tell_each_version_with_its_installation_and_its_errors(desk: Desk) -> None:
    old, new = {"package": "Chem", "version": "1.0"}, {"package": "Chem", "version": "1.1"}
    desk.put(
        event(time=at(1), type="package-published", user="ida", parameters=old),
        event(time=at(10), type="package-published", user="ida", parameters=new, duration_ms=900.0),
        event(time=at(2), type="viewer-rendered", user="ann", parameters=old),
        event(time=at(11), type="viewer-rendered", user="ann", parameters=new),
        event(time=at(12), type="viewer-rendered", user="bob", parameters=new),
        event(time=at(12), level="error", user="bob", parameters=new),
    )
    found = {row["version"]: row for row in desk.rows("packages", since=at(2, 0))}
    assert {version: (row["uses"], row["users"], row["errors"]) for version, row in found.items()} == {
        "1.0": (1, 1, 0),
        "1.1": (2, 2, 1),
    }
    assert all(sum(json.loads(row["trend"])) == row["uses"] for row in found.values())
    assert found["1.0"]["installed"] == at(1).replace(tzinfo=None)
    assert (found["1.1"]["installation_ms"], found["1.1"]["installed_by"]) == (900.0, "ida")
