"""What events become in the tables that existing SQL asks."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from support.batches import Batches
from support.events import entity, event
from support.postgresql_store import told
from whodid.event import entity_uuid
from whodid.stores.postgresql import PostgreSQLStore

pytestmark = pytest.mark.postgresql


def test_one_row_of_event_types_a_type_and_an_error_group(
    store: PostgreSQLStore, batches: Batches, postgresql_url: str
) -> None:
    group = str(uuid.uuid4())
    failed: dict[str, Any] = {
        "level": "error",
        "error_message": "Boom",
        "error_stack_trace": "at f",
        "error_hash": group,
    }
    store.write([batches.of([event(type="query-start"), event(type="query-start"), event(type="run", **failed)])])
    store.write([batches.of([event(type="start", **failed), event(type="run", level="error")])])
    rows = told(
        postgresql_url,
        "SELECT name, source, is_error, friendly_name, error_stack_trace, error_stack_trace_hash "
        "FROM public.event_types ORDER BY name, error_stack_trace_hash",
    )
    assert rows == [
        ("query-start", "audit", False, "query-start", None, None),
        ("run", "error", True, "Boom", "at f", group),
        ("run", "error", True, "run", None, None),
    ]
    assert told(
        postgresql_url, "SELECT count(*) FROM public.events e JOIN event_types t ON t.id = e.event_type_id"
    ) == [(5,)]


@pytest.mark.parametrize("at_once", [True, False])
def test_an_error_names_its_group_even_if_something_else_came_first(
    store: PostgreSQLStore, batches: Batches, postgresql_url: str, at_once: bool
) -> None:
    group: dict[str, Any] = {"error_stack_trace": "at f", "error_hash": str(uuid.uuid4())}
    clicked = event(type="click", level="usage", **group)
    failed = event(type="run", level="error", error_message="Boom", **group)
    later = event(type="dialog", level="usage", **group)
    for part in [[clicked, failed, later]] if at_once else [[clicked], [failed], [later]]:
        store.write([batches.of(part)])
    named = "SELECT name, source, friendly_name, error_severity FROM public.event_types"
    assert told(postgresql_url, named) == [("run", "error", "Boom", "error")]


def test_parameters_have_the_type_that_fits_all_their_values(
    store: PostgreSQLStore, batches: Batches, postgresql_url: str
) -> None:
    first = {"int": 1, "widened": 1, "text": "a", "flag": True, "list": [1], "mixed": 1, "nothing": None}
    second = {"int": 2, "widened": 1.5, "mixed": "one", "later": 3, "nothing": "x"}
    store.write([batches.of([event(parameters=first)])])
    store.write([batches.of([event(parameters=second)])])
    types = dict(told(postgresql_url, "SELECT name, type FROM public.event_parameters"))
    assert types == {
        "int": "int",
        "widened": "double",
        "text": "string",
        "flag": "bool",
        "list": "json",
        "mixed": "string",
        "later": "int",
        "nothing": "string",
    }
    values = told(
        postgresql_url,
        "SELECT p.name, v.value FROM event_parameter_values v JOIN event_parameters p ON p.id = v.parameter_id "
        "JOIN events e ON e.id = v.event_id WHERE p.name IN ('widened', 'flag', 'list', 'nothing') ORDER BY 1, 2",
    )
    assert values == [
        *[("flag", "true"), ("list", "[1]"), ("nothing", "null"), ("nothing", "x")],
        *[("widened", "1"), ("widened", "1.5")],
    ]


def test_entities_are_references_by_both_value_and_uuid(
    store: PostgreSQLStore, batches: Batches, postgresql_url: str
) -> None:
    query_id = str(uuid.uuid4())
    store.write(
        [
            batches.of(
                [
                    event(entities=[entity("query", query_id)]),
                    event(entities=[entity("dataset", "A", role="input"), entity("dataset", "B", role="input")]),
                ]
            )
        ]
    )
    rows = told(
        postgresql_url,
        "SELECT p.name, p.type, v.value, v.value_uuid FROM event_parameter_values v "
        "JOIN event_parameters p ON p.id = v.parameter_id ORDER BY p.name",
    )
    a, b, query = entity_uuid("dataset", "A"), entity_uuid("dataset", "B"), uuid.UUID(query_id)
    assert rows == [
        ("input", "entity_id", str(a), a),
        ("input 2", "entity_id", str(b), b),
        ("query", "entity_id", str(query), query),
    ]


def test_a_sender_with_names_without_end_does_not_fill_the_table(
    store: PostgreSQLStore, batches: Batches, postgresql_url: str
) -> None:
    endless = [event(parameters={f"p{at}-{key}": 1 for key in range(500)}) for at in range(6)]
    assert store.write([batches.of(endless)]).events == 6
    assert told(postgresql_url, "SELECT count(*) FROM public.event_parameters") == [(2_000,)]


def test_an_id_that_no_index_can_hold_rejects_its_event_alone(store: PostgreSQLStore, batches: Batches) -> None:
    long_id = "".join(chr(0x1F300 + place % 500) for place in range(1_000))
    written = store.write([batches.of([event(), event(entities=[entity("file", long_id)]), event()])])
    assert (written.events, written.rejects) == (2, 1)
