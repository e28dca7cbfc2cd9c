"""Rows of unlike shape as one table: nothing a row says is lost."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whodid.datasets import columns as module
from whodid.datasets.columns import COLUMNS_MAX, Columns, flat


def table(*rows: dict[str, Any]) -> pa.Table:
    gathered = Columns()
    for row in rows:
        gathered.add(row)
    return gathered.table()


def test_two_levels_become_columns_and_deeper_ones_stay_json() -> None:
    row = {"severity": "INFO", "message": {"msgType": "login", "context": {"ip": "10.0.0.7"}}, "tags": [1, {"a": 2}]}
    found = table(flat(row, 2)).to_pylist()[0]
    assert found == {
        "severity": "INFO",
        "message.msgType": "login",
        "message.context": '{"ip":"10.0.0.7"}',
        "tags": '[1,{"a":2}]',
    }
    assert table(flat(row, 3)).to_pylist()[0]["message.context.ip"] == "10.0.0.7"
    assert json.loads(table(flat(row, 1)).to_pylist()[0]["message"]) == row["message"]


@pytest.mark.parametrize(
    ("values", "kind", "read"),
    [
        ([1, 2, None], pa.int64(), [1, 2, None]),
        ([1, 2.5], pa.float64(), [1.0, 2.5]),
        ([True, None], pa.bool_(), [True, None]),
        ([True, 1], pa.string(), ["true", "1"]),
        (["a", 1, {"b": 2}], pa.string(), ["a", "1", '{"b":2}']),
        ([2**70], pa.string(), [str(2**70)]),
        ([None], pa.string(), [None]),
        ([{}], pa.string(), ["{}"]),
    ],
)
def test_a_column_has_the_narrowest_type_that_holds_all(values: list[Any], kind: pa.DataType, read: list[Any]) -> None:
    found = table(*[{"x": value} for value in values])
    assert found.schema.field("x").type == kind
    assert found.column("x").to_pylist() == read


def test_a_later_row_may_widen_a_column_of_an_earlier_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_ROWS", 2)
    found = table({"x": 1}, {"x": 2}, {"y": 1.5}, {"x": "three"}, {"x": 4, "z": True})
    assert found.to_pylist() == [
        {"x": "1", "y": None, "z": None},
        {"x": "2", "y": None, "z": None},
        {"x": None, "y": 1.5, "z": None},
        {"x": "three", "y": None, "z": None},
        {"x": "4", "y": None, "z": True},
    ]


def test_more_columns_than_there_may_be_are_kept_together() -> None:
    found = table({f"c{number}": number for number in range(COLUMNS_MAX + 5)}, {"c0": 7, "other": 8})
    assert found.num_columns == COLUMNS_MAX
    first, second = found.to_pylist()
    assert sum(value is not None for value in first.values()) - 1 + len(json.loads(first["_rest"])) == COLUMNS_MAX + 5
    assert (second["c0"], json.loads(second["_rest"])) == (7, {"other": 8})


cells = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=5)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("abc"), cells), max_size=12), st.integers(1, 5))
def test_every_value_is_found_again(rows: list[dict[str, Any]], chunk_rows: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK_ROWS", chunk_rows)
        found = table(*rows).to_pylist() if rows else []
    assert len(found) == len(rows)
    for row, read in zip(rows, found, strict=True):
        for name, value in row.items():
            cell = read[name]
            assert cell == value or (isinstance(cell, str) and json.loads(cell) == value)
