"""The project of an event, as every store works it out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from support.batches import Batches
from support.events import entity, event
from support.stores import rows
from whodid.event import Entity
from whodid.stores.base import Store

PROJECT = entity("project", "SALES")
OTHER = entity("dataset", "orders")
LATER = entity("project", "LATER")

CASES: dict[str, tuple[bytes, list[Entity], str | None]] = {
    "neither": (b"{}", [OTHER], None),
    "the only entity": (b"{}", [PROJECT], "SALES"),
    "a further entity": (b"{}", [OTHER, PROJECT, LATER], "SALES"),
    "its parameters": (b'{"projectKey":"CHURN"}', [], "CHURN"),
    "its parameters first": (b'{"project":"CHURN"}', [PROJECT], "CHURN"),
    "the key before the project": (b'{"project":"B","projectKey":"A"}', [], "A"),
    "null is none": (b'{"projectKey":null}', [PROJECT], "SALES"),
    "an empty name is none": (b'{"projectKey":"","project":""}', [PROJECT], "SALES"),
    "an empty key beside a project": (b'{"projectKey":"","project":"B"}', [], "B"),
    "nothing but an empty name": (b'{"projectKey":""}', [], None),
    "a number": (b'{"project":7}', [], "7"),
    "written with escapes": (b'{"pro\\u006aect":"CHURN"}', [], "CHURN"),
    "only deeper": (b'{"a":{"project":"CHURN"}}', [], None),
    "another's word": (b'{"a":"project"}', [entity("dataset", "project")], None),
}


@pytest.mark.parametrize("in_file", [True, False], ids=["file", "frames"])
def test_the_project_of_an_event(store: Store, batches: Batches, in_file: bool) -> None:
    events = [
        replace(event(n, entities=touched), parameters=Raw(told)) for n, (told, touched, _) in enumerate(CASES.values())
    ]
    store.write([batches.of(events, in_file=in_file)])
    found = rows(store, "SELECT project FROM events ORDER BY time")
    assert dict(zip(CASES, [row["project"] for row in found], strict=True)) == {
        name: project for name, (_, _, project) in CASES.items()
    }


def test_many_events_of_a_far_month_keep_their_project(store: Store, batches: Batches) -> None:
    """First a few, then so many that a store may move all of them elsewhere."""
    far = datetime(2019, 3, 1, tzinfo=UTC)
    kinds: dict[str, Any] = {"entities": [PROJECT]}
    store.write([batches.of([event(time=far + timedelta(seconds=n), **kinds) for n in range(5)])])
    store.write([batches.of([event(time=far + timedelta(minutes=n), **kinds) for n in range(1, 1_201)])])
    assert rows(store, "SELECT project, count(*) AS n FROM events GROUP BY 1") == [{"project": "SALES", "n": 1205}]
