"""Words of reports that look into JSON: the same on every store."""

from __future__ import annotations

from typing import Any

import pytest

from whodid.reports.words import translated
from whodid.stores.base import Store

CENSUS = "e.type = 'kubernetes-cluster-usage-status'"


def asked(store: Store, sql: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = store.query(translated(sql, store.kind), {}, trusted=True).table.to_pylist()
    return found


def test_several_texts_are_read_at_once(store: Store) -> None:
    sql = """SELECT t[1] AS package, t[2] AS missing, t[3] AS item FROM (
        SELECT texts_of(e."parameters", '/package', '/no~1where', '/menuItems/0') AS t
        FROM events e WHERE e.type = 'package-published'
    ) told ORDER BY 1 LIMIT 1"""
    (row,) = asked(store, sql)
    assert row["package"] == "ChemViewer"
    assert row["missing"] is None
    assert "|" in row["item"]


def test_a_list_becomes_rows_and_its_keys_may_hold_slashes(store: Store) -> None:
    sql = f"""SELECT count(*) AS pods, count(texts_of(pod, '/labels/dataiku.com~1dku-execution-id')[1]) AS executions
        FROM (SELECT elements_of(e."parameters", '/podsStatus/pods') AS pod FROM events e WHERE {CENSUS}) told"""
    (row,) = asked(store, sql)
    assert row["pods"] == row["executions"] > 0


def test_what_is_no_list_has_no_rows(store: Store) -> None:
    sql = f"""SELECT count(*) AS pods FROM (
        SELECT elements_of(e."parameters", '/clusterId') AS pod FROM events e WHERE {CENSUS}
    ) told"""
    assert asked(store, sql) == [{"pods": 0}]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12.0),
        ("-0.5", -0.5),
        ("1e3", 1000.0),
        ("3.", 3.0),
        ("", None),
        ("nan", None),
        ("Infinity", None),
        ("x1", None),
    ],
)
def test_a_text_is_a_number_or_nothing(store: Store, text: str, number: float | None) -> None:
    sql = f"SELECT number_of(x) AS number FROM (SELECT CAST('{text}' AS varchar) AS x) t"
    assert asked(store, sql) == [{"number": number}]
