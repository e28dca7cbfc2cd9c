"""A bound key writes its own topics, nodes and routing keys only."""

from __future__ import annotations

from typing import Any

import pytest

from support.receiving import Receiver, event
from whodid.event import Event


@pytest.mark.parametrize(
    ("binding", "good", "bad"),
    [
        ({"topics": ["apinode-query", "generic"]}, [{}, {"topic": "apinode-query"}], [{"topic": "other"}]),
        ({"nodes": ["n1", "n2"]}, [{"node": "n1"}, {"node": "n2"}], [{"node": "n3"}, {}]),
        ({"routing_keys": ["rk"]}, [{"routing_key": "rk"}], [{}, {"routing_key": "x"}]),
        ({"topics": ["t"], "nodes": ["n1", "n2"]}, [{"topic": "t", "node": "n1"}], [{"topic": "t"}, {"node": "n1"}]),
    ],
)
def test_events_outside_the_binding_are_rejected_one_by_one(
    receiver: Receiver, binding: dict[str, Any], good: list[dict[str, Any]], bad: list[dict[str, Any]]
) -> None:
    _, secret = receiver.directory.create_key("bound", ["write"], **binding)
    sent = [event(**fields) for fields in (*good, *bad)]
    answer = receiver.post(sent, key=secret)
    assert answer.status == 200
    assert answer.json["accepted"] == len(good)
    rejected = [(each["index"], each["code"]) for each in answer.json["rejected"]]
    assert rejected == [(index, "forbidden") for index in range(len(good), len(sent))]
    assert [each.id for each in receiver.events()] == [each["id"] for each in sent[: len(good)]]
    assert [each.code for each in receiver.rejects()] == ["forbidden"] * len(bad)


def test_a_key_of_one_node_gives_it_to_its_events(receiver: Receiver) -> None:
    key, secret = receiver.directory.create_key("node", ["write"], nodes=["n1"])
    sent = [event(), event(node="n1"), event(node="n2"), event(parameters={"big": 2**80})]
    answer = receiver.post(sent, key=secret)
    assert [each["index"] for each in answer.json["rejected"]] == [2]
    kept: list[Event] = receiver.events()
    assert [each.node for each in kept] == ["n1"] * 3
    assert bytes(kept[2].parameters) == b'{"big":%d}' % 2**80
    assert receiver.key_ids() == [key.id]


def test_indexes_count_bad_events_before_them(receiver: Receiver) -> None:
    _, secret = receiver.directory.create_key("node", ["write"], nodes=["n1"])
    answer = receiver.post([7, event(node="n2"), 8, event(), event(node="n3")], key=secret)
    rejected = [(each["index"], each["code"] == "forbidden") for each in answer.json["rejected"]]
    assert rejected == [(0, False), (1, True), (2, False), (4, True)]


def test_only_foreign_events_are_an_error(receiver: Receiver) -> None:
    _, secret = receiver.directory.create_key("node", ["write"], nodes=["n1"])
    answer = receiver.post([event(node="n2"), event(node="n3")], key=secret)
    assert (answer.status, answer.json["error"]["code"]) == (403, "forbidden")
    assert len(answer.json["rejected"]) == 2
    assert [each.raw_size_bytes is not None for each in receiver.rejects()] == [True, True]


def test_a_refused_event_is_no_duplicate_for_who_may_write_it(receiver: Receiver) -> None:
    _, bound = receiver.directory.create_key("bound", ["write"], topics=["other"])
    _, free = receiver.directory.create_key("free", ["write"])
    sent = [event()]
    receiver.post(sent, key=bound)
    assert receiver.post(sent, key=free).json["accepted"] == 1
