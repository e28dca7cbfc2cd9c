"""Addresses of ClickHouse stores, parameters in its SQL, and the words of the common dialect in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from whodid.errors import WhodidError
from whodid.stores.clickhouse_address import parse
from whodid.stores.clickhouse_params import bound, literal
from whodid.stores.clickhouse_words import translated

# Addresses


def test_an_address_says_where_the_engine_is() -> None:
    address = parse("clickhouse://ann:p%40ss@db.example.com:9123/audit?cluster=main&ttl_days=2555")
    assert address.hosts == (("db.example.com", 9123),)
    assert (address.user, address.password, address.database) == ("ann", "p@ss", "audit")
    assert (address.cluster, address.ttl_days, address.secure) == ("main", 2555, False)
    assert "p@ss" not in address.place


def test_what_an_address_leaves_out_has_its_default() -> None:
    address = parse("clickhouse://db.example.com")
    assert (address.hosts, address.user, address.database) == ((("db.example.com", 8123),), "default", "whodid")
    assert parse("clickhouse://db?secure=true").hosts == (("db", 8443),)
    assert parse("clickhouse://one,two:81,[::1]:82/x").hosts == (("one", 8123), ("two", 81), ("::1", 82))
    assert parse("ClickHouse://db?cluster=a#").hosts == (("db", 8123),)
    assert parse("chdb:///data/engine?database=x").folder == "/data/engine"


@pytest.mark.parametrize(
    "url",
    [
        "mysql://db/x",
        "clickhouse://db/x;drop",
        "clickhouse://db/x?cluster=a'b",
        "clickhouse://db/x?cluster=",
        "clickhouse://db/x?clutser=a",
        "clickhouse://db/x?secure=perhaps",
        "clickhouse://db/x?ttl_days=0",
        "clickhouse://secret@db:port/x",
        "clickhouse://secret@one,[::1/x",
        "clickhouse:secret@db/x",
        "clickhouse://secret@db:65536/x",
        "clickhouse://secret@db/x?secure=true&ca_cert=/no/such/file.pem",
    ],
)
def test_an_address_that_cannot_be_read_is_refused_without_its_secrets(url: str) -> None:
    with pytest.raises(WhodidError) as refused:
        parse(url)
    assert refused.value.code == "invalid"
    assert "secret" not in str(refused.value)


# Parameters


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "NULL"),
        (True, "true"),
        (-3, "(-3)"),
        (Decimal("1.50"), "1.50"),
        ("it's \\ a\0b", "'it\\'s \\\\ a\\0b'"),
        (UUID(int=1), "'00000000-0000-0000-0000-000000000001'"),
        (datetime(2026, 5, 4, 9, 0, 0, 5), "toDateTime64('2026-05-04 09:00:00.000005', 6, 'UTC')"),
        (
            datetime(2026, 5, 4, 9, tzinfo=timezone(timedelta(hours=2))),
            "toDateTime64('2026-05-04 07:00:00.000000', 6, 'UTC')",
        ),
        (["a", "b'"], "['a', 'b\\'']"),
        ([], "CAST([], 'Array(String)')"),
    ],
)
def test_a_value_is_said_as_the_engine_reads_it(value: Any, expected: str) -> None:
    assert literal(value) == expected


def test_parameters_are_put_where_no_text_or_comment_is() -> None:
    sql = "SELECT '$a', `$a`, \"$a\", $a, x$a -- $a\n/* ? */ , ?"
    assert bound(sql, {"a": 1}) == "SELECT '$a', `$a`, \"$a\", 1, x$a -- $a\n/* ? */ , ?"
    assert bound("SELECT ?, ?, $1", [1, 2]) == "SELECT 1, 2, 1"
    with pytest.raises(WhodidError, match=r"\$b has no value"):
        bound("SELECT $b", {"a": 1})


# Words


@pytest.mark.parametrize(
    ("common", "own"),
    [
        ("SELECT a FROM t WHERE b = ANY($c)", "(b IN $c)"),
        ("SELECT CAST($a AS timestamp)", "CAST($a, 'DateTime64(6, \\'UTC\\')')"),
        ("SELECT date_trunc('day', a)", "CAST(date_trunc('day', a), 'DateTime64(0, \\'UTC\\')')"),
        ("SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x)", "quantileExactInclusiveOrNull(0.5)(x)"),
        ("SELECT sum(x) FILTER (WHERE y)", "sumOrNull(x) FILTER(WHERE y)"),
        ("WITH a AS (SELECT 1) SELECT * FROM a", "WITH a AS MATERIALIZED ("),
        ("WITH RECURSIVE a AS (SELECT 1) SELECT * FROM a", "WITH RECURSIVE a AS ("),
        (
            "SELECT quantile_cont(x, [0.5, 0.9])",
            "arrayMap(one -> if(isNaN(one), NULL, one), quantilesExactInclusive(0.5, 0.9)(x))",
        ),
        ("SELECT e.p ->> '/a/b~1c'", "JSONExtract(e.p, 'a', 'b/c', 'Nullable(String)')"),
        ("SELECT p ->> CAST($k AS varchar)", "JSONExtract(p, CAST($k, 'String'), 'Nullable(String)')"),
        ("SELECT extract(epoch FROM (a - b))", "dateDiff('microsecond', b, a) / 1000000"),
        ("SELECT lag(a) OVER (ORDER BY b)", "lag(toNullable(a))"),
        ("SELECT e.a, f.a FROM e JOIN f ON e.x = f.x", 'e.a AS "a", f.a'),
        ("SELECT id FROM t ORDER BY time DESC, id DESC", "toString(id) DESC"),
        ("SELECT a FROM t WHERE id < CAST($i AS uuid)", "UUIDToNum(id) < UUIDToNum(CAST($i, 'UUID'))"),
        ("SELECT max(time) AS time FROM t ORDER BY time", "ORDER BY 1"),
        ("SELECT CAST(x AS decimal(9, 1))", "sign(x) * floor(abs(x) * 10 + 0.5) / 10"),
        (
            "SELECT unnest($a) AS g, unnest($b) AS m",
            'tupleElement(arrayJoin(arrayZip($a, $b)), 1) AS "g", tupleElement(arrayJoin(arrayZip($a, $b)), 2)',
        ),
    ],
)
def test_the_common_dialect_is_said_in_the_engines_words(common: str, own: str) -> None:
    assert own in translated(common)


@pytest.mark.parametrize("sql", ["DELETE FROM events", "SELECT 1; SELECT 2", "SELEC 1", ""])
def test_what_is_no_single_select_is_not_translated(sql: str) -> None:
    with pytest.raises(WhodidError):
        translated(sql)


def test_times_of_other_zones_are_utc() -> None:
    assert literal(datetime(2026, 5, 4, 9, tzinfo=UTC)) == literal(datetime(2026, 5, 4, 9))


def test_an_engine_that_cannot_keep_common_tables_is_not_asked_to() -> None:
    assert "MATERIALIZED" not in translated("WITH a AS (SELECT 1) SELECT * FROM a", keeps_tables=False)
