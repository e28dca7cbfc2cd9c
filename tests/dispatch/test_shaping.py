"""What of an event goes along."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from support.dss import line as json_line
from support.dss import log4j, one
from support.targets import delivery_of, event, form_of
from whodid.dispatch.lines import FORMATS
from whodid.dispatch.row import Selection, Shaping
from whodid.event import Entity, Event, foreign_id, parameters_of
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


# An event of DSS in which a webapp acts for grace, with ada's login.
WEBAPP = {
    "msgType": "dataset-read-data",
    "authUser": "ada",
    "login": "ada",
    "authVia": ["ticket:Standard webapp backend: SALES.x1,grace"],
    "projectKey": "SALES",
    "datasetName": "orders",
    "clientIP": "10.9.8.7",
    "xForwardedFor": "10.9.8.6, 10.9.8.5",
    "sessionId": "s-1",
    "dssNodeId": "design-1",
    "exact": 1.50,
    "computeResourceUsage": {"id": "c", "context": {"authIdentifier": "ada", "projectKey": "SALES"}},
}
OF_DSS = one(log4j(WEBAPP, mdc={"apiCall": "/api/datasets", "user": "ada"}, topic="generic", origAddress="10.9.8.4"))


def dss_line(shaping: Shaping, one: Event = OF_DSS, *, format: str = "native", came_as: str = "dss-log4j") -> bytes:
    form = form_of(shaping=shaping, format=format)
    return next(delivery_of([one], form=form, came_as=came_as).lines())


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("user", [b'"ada"', b"grace"]),
        ("acting_for", [b"grace"]),
        ("via", [b"webapp", b"x1"]),
        ("orig_address", [b"10.9.8", b"10.1.2.3"]),
        ("session", [b"s-1", foreign_id("s-1").encode()]),
        ("node", [b"design-1"]),
        ("entities", [b'"orders"', b'"SALES"', b'"SALES.orders"']),
        ("function", [b"/api/datasets"]),
    ],
)
def test_what_a_field_hides_a_dss_message_does_not_tell_either(field: str, told: list[bytes], format: str) -> None:
    hash_, out = (dss_line(shaping, format=format) for shaping in (Shaping(hashed=[field]), Shaping(left_out=[field])))
    for text in told:
        assert text in dss_line(Shaping(), format=format) or format != "native"
        assert text not in out, out
        assert text not in hash_, hash_


def test_the_words_of_a_dss_message_are_hashed_to_the_same_value_as_the_field() -> None:
    told = json.loads(dss_line(Shaping(hashed=["user", "via", "session", "orig_address", "entities"])))
    ada, grace, message = hashed("ada", b"key"), hashed("grace", b"key"), told["parameters"]
    assert (told["user"], told["acting_for"]) == (ada, grace)
    assert (message["authUser"], message["login"], message["dss"]["mdc"]["user"]) == (ada, ada, ada)
    assert message["computeResourceUsage"]["context"]["authIdentifier"] == ada
    assert message["authVia"] == [told["via"]] == [hashed("webapp:SALES.x1", b"key")]
    assert message["sessionId"] == told["session"]
    assert message["clientIP"] == hashed("10.9.8.7", b"key")
    assert message["xForwardedFor"] == ", ".join(hashed(address, b"key") for address in ("10.9.8.6", "10.9.8.5"))
    assert message["datasetName"] == told["entities"][0]["name"] == hashed("orders", b"key")
    assert (message["exact"], message["msgType"]) == (1.5, "dataset-read-data")
    assert message["dss"]["mdc"]["apiCall"] == "/api/datasets"


def test_an_entry_of_auth_via_keeps_its_program_without_the_login() -> None:
    (entry,) = json.loads(dss_line(Shaping(left_out=["user"])))["parameters"]["authVia"]
    assert entry == "ticket:Standard webapp backend: SALES.x1"
    (entry,) = json.loads(dss_line(Shaping(hashed=["user"])))["parameters"]["authVia"]
    assert entry == f"ticket:Standard webapp backend: SALES.x1,{hashed('grace', b'key')}"


def test_who_is_acted_for_goes_the_way_of_who_did_it_unless_it_is_named_itself() -> None:
    acting = event(user="ada", acting_for="ada")
    assert line(Shaping(hashed=["user"]), acting)["acting_for"] == hashed("ada", b"key")
    assert "acting_for" not in line(Shaping(hashed=["user"], left_out=["acting_for"]), acting)
    assert "acting_for" not in line(Shaping(only=["user"], hashed=["user"]), acting)


def test_a_parameter_that_is_named_itself_goes_its_own_way_too() -> None:
    told = json.loads(dss_line(Shaping(hashed=["user", "parameters.authUser"], left_out=["parameters.login"])))
    assert told["parameters"]["authUser"] == hashed("ada", b"key") and "login" not in told["parameters"]
    told = json.loads(dss_line(Shaping(hashed=["user"], truncated={"parameters.*": 1_000})))
    assert told["parameters"]["authUser"] == hashed("ada", b"key")


def test_a_dss_message_is_known_when_another_whodid_hands_it_on() -> None:
    assert b'"ada"' not in dss_line(Shaping(hashed=["user"]), came_as="native")


def test_parameters_of_other_senders_go_along_as_they_are() -> None:
    told = line(Shaping(hashed=["user"]), event(user="ada", parameters=Raw(b'{"user":"bob","status": 1.50}')))
    assert told["parameters"] == {"user": "bob", "status": 1.5}


def test_odd_words_of_a_dss_message_are_hidden_too() -> None:
    odd = one(log4j({"msgType": "x", "user": {"login": "ada"}, "login": 12, "dss": {"user": "own"}, "authVia": "ada"}))
    message = json.loads(dss_line(Shaping(hashed=["user", "session"]), odd))["parameters"]
    assert message["login"] == hashed("12", b"key") and message["user"] == hashed({"login": "ada"}, b"key")
    assert message["event.dss"]["mdc"]["user"] == hashed("ann", b"key")
    assert message["dss"] == {"user": "own"}
    assert json_line(parameters_of(odd)) == json_line(
        json.loads(dss_line(Shaping(left_out=["node"]), odd))["parameters"]
    )


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
