"""CloudEvents, read by the specification's own package."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from cloudevents.v1.http import from_json

from support.targets import event
from whodid.dispatch.lines import native
from whodid.dispatch.mapped import cloudevents
from whodid.event import Entity, Provenance
from whodid.targets.base import Offered

PROVENANCE = Provenance(received_at=datetime(2026, 11, 20, 12, tzinfo=UTC), receiver="receiver-a")


def test_the_package_of_the_specification_reads_them() -> None:
    offered = Offered(7, event(node="node ü/1", entities=[Entity(type="query", id="q-1")], topic="generic"), PROVENANCE)
    found = from_json(cloudevents.encode([offered])[0])
    assert found["id"] == offered.event.id
    assert found["type"] == "whodid.query-start"
    assert found["source"] == "/whodid/node%20%C3%BC%2F1"
    assert (found["subject"], found["user"], found["topic"]) == ("query/q-1", "ada", "generic")
    assert found.data == json.loads(native([offered])[0])


def test_attributes_hold_no_control_characters() -> None:
    offered = Offered(1, event(type="a\nb", user="x\x00y", entities=[Entity(type="t\t", id="\x85")]), PROVENANCE)
    content = json.loads(cloudevents.encode([offered])[0])
    assert (content["type"], content["user"], content["subject"]) == ("whodid.a b", "x y", "t / ")
