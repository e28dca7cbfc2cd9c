"""OCSF by the schema's own models, for every type that the catalogue knows."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import Raw

from support.targets import event
from whodid import catalogue
from whodid.dispatch.mapped import ocsf
from whodid.event import Entity, Event, Provenance
from whodid.targets.base import Offered

MODELS: Any = importlib.import_module("ocsf.v1_3_0.events")
PROVENANCE = Provenance(
    received_at=datetime(2026, 11, 20, 12, tzinfo=UTC), receiver="receiver-a", orig_address="10.1.2.3"
)


def told(made: Event, provenance: Provenance = PROVENANCE) -> dict[str, Any]:
    """The event as it leaves."""
    return dict(json.loads(ocsf.encode([Offered(7, made, provenance)])[0]))


def validated(content: dict[str, Any]) -> None:
    """Raises unless the schema's model of its class takes the event."""
    name = next(name for name, found in ocsf.CLASSES.items() if found.uid == content["class_uid"])
    model = getattr(MODELS, "".join(part.capitalize() for part in name.replace("api", "API").split("_")), None)
    model = model or getattr(MODELS, "".join(part.capitalize() for part in name.split("_")))
    model.model_validate(content)


def variants(type_: str) -> Iterator[Event]:
    """Events of a type: with hardly anything, and with everything."""
    yield event(type=type_, user=None)
    yield event(
        type=type_,
        session="00000000-0000-4000-8000-000000000001",
        entities=[Entity(type="query", id="q-1", name="Sales"), Entity(type="user", id="u-1")],
        description="@user ran @query",
        parameters=Raw(b'{"sql":"SELECT 1","role":"admin","nested":{"a":[1,null]}}'),
        function="Sales:run",
        duration_ms=12.6,
        request_id="r-1",
        status="ok",
        via="scenario=S",
        acting_for="max",
        node="node-1",
        node_type="design",
    )


@pytest.mark.parametrize("type_", sorted(entry for entry in catalogue.known_types() if " " not in entry)[::7])
def test_known_types_are_valid(type_: str) -> None:
    for made in variants(type_):
        validated(told(made))


@pytest.mark.parametrize("rule", ocsf.rules(), ids=lambda rule: rule.patterns[0])
def test_every_line_of_the_table_names_what_there_is(rule: ocsf.Rule) -> None:
    found = ocsf.CLASSES[rule.class_name]
    assert rule.activity == "Other" or rule.activity in found.activities
    for made in variants(rule.patterns[0].replace("*", "thing")):
        validated(told(made))


def test_every_line_of_the_table_is_reached() -> None:
    for rule in ocsf.rules():
        assert ocsf.rule_of(rule.patterns[0].replace("*", "thing")) == rule, rule


@pytest.mark.parametrize(
    ("type_", "class_name", "activity", "status"),
    [
        ("user-logged-in", "Authentication", "Logon", "Success"),
        ("login-failure", "Authentication", "Logon", "Failure"),
        ("query-start", "Datastore Activity", "Query", "Success"),
        ("script-edited", "Entity Management", "Update", "Success"),
        ("user-created", "Account Change", "Create", "Success"),
        ("role-granted", "User Access Management", "Assign Privileges", "Success"),
        ("entity-shared", "Web Resources Activity", "Share", "Success"),
        ("something-of-ours", "API Activity", "Other", "Success"),
    ],
)
def test_types_become_classes(type_: str, class_name: str, activity: str, status: str) -> None:
    content = told(event(type=type_))
    assert (content["class_name"], content["activity_name"], content["status"]) == (class_name, activity, status)
    assert content["type_uid"] == content["class_uid"] * 100 + content["activity_id"]


def test_nothing_is_lost() -> None:
    made = list(variants("query-start"))[1]
    text = json.dumps(told(made))
    for part in ("q-1", "u-1", "Sales", "SELECT 1", "nested", "r-1", "scenario=S", "max", "node-1", "design", made.id):
        assert part in text, part
    assert told(made)["metadata"]["sequence"] == 7
