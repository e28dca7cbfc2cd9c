"""Columns of values out of features and predictions of any shape."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whodid.analysis.values import (
    COLUMNS_MAX,
    DEPTH_MAX,
    NAMES_MAX,
    PLACES_MAX,
    TEXT_CHARS_MAX,
    Value,
    columns_of,
    numbers_of,
    read_json,
)

NUMBERS = st.floats(-1e9, 1e9) | st.integers(-(10**6), 10**6)
VALUES = st.none() | st.booleans() | NUMBERS | st.text("ab{[", max_size=3)
KEYS = st.sampled_from("xyz")
OBJECTS = st.dictionaries(KEYS, VALUES | st.dictionaries(KEYS, VALUES, max_size=3), max_size=3)


def test_each_name_is_a_column_with_a_value_for_each_object() -> None:
    assert columns_of([{"age": 41, "plan": "free"}, {"age": 22.5}, {}], "feature") == {
        "feature.age": [41.0, 22.5, None],
        "feature.plan": ["free", None, None],
    }


def test_what_lies_within_is_named_by_its_way() -> None:
    objects = [{"place": {"city": "Bern", "at": [46.9, 7.4]}}, {"place": {"city": "Rome"}}]
    assert columns_of(objects, "feature") == {
        "feature.place.city": ["Bern", "Rome"],
        "feature.place.at.0": [46.9, None],
        "feature.place.at.1": [7.4, None],
    }


@pytest.mark.parametrize("one", [0.3, [0.3], [[0.3]], "[0.3]", ["[0.3]"]])
def test_a_single_value_is_called_as_asked_also_within_a_list_or_text_of_one(one: Any) -> None:
    assert columns_of([one], "answer") == {"answer": [0.3]}


def test_json_within_a_text_is_read() -> None:
    assert columns_of([{"row": '{"a": 1}'}, {"row": "{no json"}], "feature") == {
        "feature.row": [None, "{no json"],
        "feature.row.a": [1.0, None],
    }


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (True, "true"),
        (False, "false"),
        (None, None),
        ("", None),
        (10**400, None),
        (-1e300, None),
        ("x" * 1000, "x" * TEXT_CHARS_MAX),
        (list(range(PLACES_MAX + 1)), json.dumps(list(range(PLACES_MAX + 1)))[:TEXT_CHARS_MAX]),
    ],
)
@pytest.mark.parametrize("neighbour", [1.5, "text", True])
def test_a_value_is_told_the_same_whatever_stands_beside_it(value: Any, told: Value, neighbour: Any) -> None:
    assert columns_of([{"a": value}], "feature") == {"feature.a": [told]}
    assert columns_of([{"a": value}, {"a": neighbour}, {}], "feature")["feature.a"][0] == told


def test_objects_of_any_shape_stand_side_by_side() -> None:
    objects = [
        {"age": 3, "home": {"city": "Berlin"}, "tags": ["a", "b"]},
        {"age": None, "home": '{"city": "Boston"}', "ok": True},
        [{"age": 5}],
        "7",
    ]
    assert columns_of(objects, "x") == {
        "x.age": [3.0, None, 5.0, None],
        "x.home.city": ["Berlin", "Boston", None, None],
        "x.tags.0": ["a", None, None, None],
        "x.tags.1": ["b", None, None, None],
        "x.ok": [None, "true", None, None],
        "x": [None, None, None, "7"],
    }


def test_a_name_that_is_told_twice_has_the_first_value_that_is_known() -> None:
    objects = [{"a.b": None, "a": {"b": 2}}, {"a.b": 1, "a": {"b": 2}}]
    assert columns_of(objects, "feature") == {"feature.a.b": [2.0, 1.0]}


def test_only_what_is_wanted_is_looked_at() -> None:
    objects = [{"customer": {"id": "C1", "age": 40}, "id": 7}]
    assert columns_of(objects, "features", among={"features.customer.id"}) == {"features.customer.id": ["C1"]}


def test_there_is_an_end_to_names() -> None:
    wide = columns_of([{f"f{place}": place for place in range(5_000)}], "feature")
    assert len(wide) == COLUMNS_MAX
    assert columns_of([{f"f{place}": {} for place in range(NAMES_MAX)} | {"late": 1}], "feature") == {}


def test_deep_nests_are_told_as_text() -> None:
    deep: Any = "end"
    for _ in range(DEPTH_MAX + 1):
        deep = {"in": deep}
    assert columns_of([deep], "feature") == {"feature" + ".in" * DEPTH_MAX: ['{"in": "end"}']}


@pytest.mark.parametrize("text", ["[" * 5_000, "[" * 5_000 + "]" * 5_000, '{"a":' * 5_000 + "1" + "}" * 5_000])
def test_thousands_of_brackets_are_a_text(text: str) -> None:
    assert read_json(text) == text
    assert columns_of([{"a": text}], "feature") == {"feature.a": [text[:TEXT_CHARS_MAX]]}


@given(st.lists(OBJECTS, max_size=5))
def test_objects_by_columns_are_told_as_each_by_itself(objects: list[dict[str, Any]]) -> None:
    together = columns_of(objects, "feature")
    for place, one in enumerate(objects):
        alone = columns_of([one], "feature")
        assert {name: column[place] for name, column in together.items() if column[place] is not None} == {
            name: column[0] for name, column in alone.items() if column[0] is not None
        }
        assert alone.keys() <= together.keys()
    assert all(len(column) == len(objects) for column in together.values())


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        ([1.0, None, 2.0], [1.0, 2.0]),
        (["1.5", 2.0, None], [1.5, 2.0]),
        (["1", "one"], None),
        (["1", "inf"], None),
        (["nan"], None),
        ([None], []),
    ],
)
def test_values_are_numbers_when_all_that_are_known_are(values: list[Value], numbers: list[float] | None) -> None:
    assert numbers_of(values) == numbers
