"""What the choices of a report leave out of its statement."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlglot

from support.reporting import SPAN
from support.story import END
from whodid import reports
from whodid.reports.left_out import leave_out
from whodid.stores.base import Store

COUNTED = """
WITH a AS (SELECT 1 AS n), b AS (SELECT 2 AS n), c AS (SELECT n FROM b), every AS (
    SELECT n FROM a UNION ALL SELECT n FROM c WHERE n > 0 AND CAST($more AS varchar) = 'yes'
)
SELECT n FROM every
"""


def left(sql: str, **choices: str) -> str:
    tree = sqlglot.parse_one(sql, read="duckdb")
    leave_out(tree, choices)
    return tree.sql("duckdb")


def test_a_branch_is_left_out_with_what_only_it_reads() -> None:
    assert left(COUNTED, more="no") == "WITH a AS (SELECT 1 AS n), every AS (SELECT n FROM a) SELECT n FROM every"
    kept = left(COUNTED, more="yes")
    assert "b AS" in kept and "WHERE n > 0 AND TRUE" in kept


def test_what_is_counted_is_counted_of_nothing() -> None:
    counted = (
        "SELECT 1 UNION ALL SELECT count(*) FROM events AS e WHERE e.level = 'x' AND CAST($more AS varchar) = 'yes'"
    )
    assert left(counted, more="no") == "SELECT 1 UNION ALL SELECT COUNT(*) FROM events AS e WHERE FALSE"


@pytest.mark.parametrize(("more", "then"), [("yes", "a"), ("no", "b")])
def test_a_case_that_is_decided_is_what_it_then_is(more: str, then: str) -> None:
    case = "SELECT CASE WHEN CAST($more AS varchar) = 'yes' THEN a ELSE b END AS x"
    assert left(case, more=more) == f"SELECT {then} AS x"


def test_without_else_a_case_keeps_its_type() -> None:
    case = "SELECT CASE WHEN CAST($more AS varchar) = 'yes' THEN a END AS x"
    assert left(case, more="no") == "SELECT CASE WHEN FALSE THEN a END AS x"


def test_other_parameters_are_no_choices() -> None:
    other = "SELECT 1 AS n WHERE CAST($kind AS TEXT) = $more"
    assert left(other, more="no") == other


def test_measures_are_left_out_and_the_others_stay_as_they_are(store: Store) -> None:
    for since in (SPAN["since"], END - timedelta(days=3, minutes=7)):
        given = {**SPAN, "since": since, "entities": "project:SALES"}
        whole = reports.run(store, "overview", **given).table.to_pylist()
        less = reports.run(store, "overview", **given, sessions="no", windows="no").table.to_pylist()
        assert less == [row for row in whole if row["measure"] != "sessions" and ", last" not in row["measure"]]
        assert len(less) == 5
