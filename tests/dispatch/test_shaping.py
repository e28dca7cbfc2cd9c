"""What of an event goes along."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from support.targets import delivery_of, event, form_of
from whodid.dispatch.row import Selection, Shaping
from whodid.event import Entity, Event
from whodid.policy.plan import hashed

ADA = event(
    user="ada",
    session="0f0e0d0c-0b0a-4908-8706-050403020100",
    description="a long description",
    duration_ms=5.0,
    level="error",
    entities=[Entity(type="dataset", id="orders", name="Orders")],
    parameters=Raw(b'{"query":"SELECT 1","rows":12,"token.a":"s","token.b":"t","nested":{"a":[1,2,3]}}'),
)


def line(shaping: Shaping, one: Event = ADA) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(next(delivery_of([one], form=form_of(shaping=shaping)).lines()))
    return found


def test_everything_goes_along_by_default() -> None:
    told = line(Shaping())
    assert (told["user"], told["orig_address"], told["parameters"]["rows"]) == ("ada", "10.1.2.3", 12)


def test_fields_and_parameters_are_left_out() -> None:
    told = line(Shaping(left_out=["user", "orig_address", "entities", "parameters.token*", "level"]))
    assert not {"user", "orig_address", "entities", "level"} & told.keys()
    assert told["parameters"].keys() == {"query", "rows", "nested"}


def test_only_what_is_named_goes_along_and_what_an_event_needs() -> None:
    told = line(Shaping(only=["user", "parameters.rows"]))
    assert told.keys() == {"id", "time", "type", "user", "parameters", "received_at", "receiver", "format", "seq"}
    assert told["parameters"] == {"rows": 12}
    told = line(Shaping(only=["parameters"]))
    assert "user" not in told and len(told["parameters"]) == 5


def test_hashes_are_the_same_for_the_same_value_and_those_of_the_policy() -> None:
    told = line(
        Shaping(hashed=["user", "session", "entities", "orig_address", "parameters.query", "parameters.nested"])
    )
    assert told["user"] == hashed("ada", b"key")
    assert told["orig_address"] == hashed("10.1.2.3", b"key")
    assert told["entities"] == [{"type": "dataset", "id": hashed("orders", b"key"), "name": hashed("Orders", b"key")}]
    assert told["parameters"]["query"] == hashed("SELECT 1", b"key")
    assert told["parameters"]["nested"] == hashed({"a": [1, 2, 3]}, b"key")
    assert told["session"] != ADA.session and len(told["session"]) == 36
    assert told["session"] == line(Shaping(hashed=["session"]), event(session=ADA.session))["session"]


def test_texts_are_cut() -> None:
    told = line(Shaping(truncated={"description": 6, "parameters.query": 3, "parameters.rows": 1, "user": 10}))
    assert told["description"] == "a long…"
    assert told["parameters"]["query"] == "SEL…"
    assert (told["parameters"]["rows"], told["user"]) == (12, "ada")


def test_what_is_left_out_is_not_told_by_labels_either() -> None:
    delivery = delivery_of([ADA], form=form_of(shaping=Shaping(left_out=["session"], hashed=["user"])))
    ((seq, label, text),) = delivery.labelled()
    assert (seq, label.session, label.user) == (1, None, hashed("ada", b"key"))
    assert b'"ada"' not in text
    (offered,) = delivery.events()
    assert offered.event.user == hashed("ada", b"key")


class Staff:
    def group_logins(self, group: str) -> list[str]:
        return {"staff": ["ada", "bob"]}[group]


@pytest.mark.parametrize(
    ("selection", "taken"),
    [
        (Selection(), {1, 2, 3, 4}),
        (Selection(topics=["apinode-query"]), {2}),
        (Selection(topics=["generic"], levels=["error"]), {3}),
        (Selection(routing_keys=["rk"]), {4}),
        (Selection(types=["login*", "query-start"]), {1, 3, 4}),
        (Selection(types=["*-failed"]), {3}),
        (Selection(users=["eve"]), {3}),
        (Selection(groups=["staff"]), {1, 2}),
        (Selection(groups=["staff"], users=["eve"], levels=["error"]), {3}),
    ],
)
def test_a_selection_takes_what_fits(selection: Selection, taken: set[int]) -> None:
    from whodid.dispatch.delivery import Part, PartsDelivery, Run, deliveries

    events = [
        event(user="ada"),
        event(type="run", user="scenario", acting_for="bob", topic="apinode-query"),
        event(type="login-failed", user="eve", level="error"),
        event(type="login", user=None, routing_key="rk"),
    ]
    form = form_of(selection, groups=Staff())
    parts = list(delivery_of(events)._parts())
    run = Run(receiver="r", first=1, last=4, parts=lambda: iter(parts), events=4)
    found = [item for item in deliveries(run, form, 10) if isinstance(item, PartsDelivery)]
    assert {seq for delivery in found for seq, _, _ in delivery.labelled()} == taken
    assert isinstance(parts[0], Part)
    assert [delivery.last for delivery in found] == [4]
