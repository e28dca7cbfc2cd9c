"""What holds for every report: it runs on every store with the same rows, as its header says, in one order."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlglot
from sqlglot import exp

from support.reporting import ASKED, Memberships, asked, plain_rows
from support.story import END
from whodid import reports
from whodid.reports.report import FAMILIES, Report
from whodid.stores.base import Store

REPORTS = reports.catalogue()
ZONES = ("Europe/Berlin", "Asia/Kolkata")


def each(*, having: Callable[[Report], bool] = lambda report: True) -> pytest.MarkDecorator:
    found = [report for report in REPORTS if having(report)]
    return pytest.mark.parametrize("report", found, ids=[report.name for report in found])


@each()
def test_it_gives_the_columns_of_its_header(store: Store, memberships: Memberships, report: Report) -> None:
    answer = asked(store, report, memberships)
    assert answer.table.schema.names == [column.name for column in report.columns]
    assert answer.table.num_rows or report.name in EMPTY_ON_THE_DEMO
    assert answer.total is None or answer.total >= answer.table.num_rows


@each(having=lambda report: "percentile" in report.sql)
def test_what_took_no_time_yet_has_no_percentiles(store: Store, memberships: Memberships, report: Report) -> None:
    """A quiet time after a busy one: some stores tell of no values as NaN."""
    answer = asked(store, report, memberships, since=END, until=END + timedelta(days=20))
    numbers = [value for column in answer.table.columns for value in column.to_pylist() if isinstance(value, float)]
    assert not any(math.isnan(number) for number in numbers)


# What the demo's story does not tell of: nobody uses whodid itself in it.
EMPTY_ON_THE_DEMO = frozenset(
    report.name for report in REPORTS if report.family == "audit" and report.name != "rejects"
) | {"compute-idle", "key-changes", "setting-changes", "new-users"}


@each()
def test_stores_give_the_same_rows_in_the_same_order(
    duckdb_store: Store,
    postgresql_store: Store,
    clickhouse_store: Store,
    memberships: Memberships,
    report: Report,
) -> None:
    stores = (duckdb_store, postgresql_store, clickhouse_store)
    one, other, third = (plain_rows(asked(store, report, memberships), report) for store in stores)
    assert one == other
    assert one == third


@each()
def test_no_two_rows_share_a_place_in_its_order(duckdb_store: Store, memberships: Memberships, report: Report) -> None:
    if report.step is not None:
        pytest.skip("its step has the last word on the order")
    order = sqlglot.parse_one(report.sql, read="duckdb").args.get("order")
    assert order is not None, "its rows have no order"
    table = asked(duckdb_store, report, memberships).table
    names = [column for key in order.expressions if (column := _ordered_by(key.this, report)) is not None]
    places = list(zip(*(table.column(name).to_pylist() for name in names), strict=True))
    assert len(set(places)) == len(places), f"two rows share {names}"


def _ordered_by(key: exp.Expression, report: Report) -> str | None:
    """The column of the report that an expression of its ORDER BY names."""
    names = [column.name for column in report.columns]
    if isinstance(key, exp.Literal) and not key.is_string:
        return names[int(key.name) - 1]
    found = [column.name for column in key.find_all(exp.Column) if column.name in names]
    return found[0] if len(found) == 1 else None


@each(having=lambda report: any(parameter.name == "limit" for parameter in report.parameters))
def test_its_cut_is_shown(duckdb_store: Store, memberships: Memberships, report: Report) -> None:
    whole = asked(duckdb_store, report, memberships)
    cut = asked(duckdb_store, report, memberships, limit=1)
    assert cut.table.num_rows == min(1, whole.table.num_rows)
    assert cut.total == whole.total
    assert cut.truncated == ((whole.total or 0) > 1)


@each()
def test_it_runs_on_an_empty_span(store: Store, memberships: Memberships, report: Report) -> None:
    asked(store, report, memberships, since="1990-01-01", until="1990-02-01")


@each(having=lambda report: report.takes_filters)
def test_filters_choose_among_the_events(store: Store, memberships: Memberships, report: Report) -> None:
    given = {
        "users": ["erika.brandt", "it's nobody"],
        "groups": ["Sales Analytics"],
        "projects": ["SALES", "CHURN"],
        "entities": ["project:SALES", "dataset:SALES.orders_clean"],
        "topics": ["generic"],
        "types": ["*-start", "login*"],
        "levels": ["audit", "usage", "error"],
    }
    # ClickHouse takes five times as long to plan, and is asked for all of them alone.
    for name, values in given.items() if store.kind != "clickhouse" else ():
        asked(store, report, memberships, **{name: values})
    asked(store, report, memberships, **given)


@each(having=lambda report: report.takes_zone)
@pytest.mark.parametrize("zone", ZONES)
def test_stores_agree_on_days_and_hours_of_a_zone(
    duckdb_store: Store,
    postgresql_store: Store,
    clickhouse_store: Store,
    memberships: Memberships,
    report: Report,
    zone: str,
) -> None:
    stores = (duckdb_store, postgresql_store, clickhouse_store)
    one, other, third = (plain_rows(asked(store, report, memberships, zone=zone), report) for store in stores)
    assert one == other
    assert one == third


@each()
def test_its_header_is_whole(report: Report) -> None:
    assert report.family in FAMILIES
    assert report.question.endswith("?")
    assert {"since", "until"} <= {parameter.name for parameter in report.parameters}
    names = {column.name for column in report.columns}
    assert "of" not in names
    if report.chart:
        assert set(report.chart.encodings.values()) <= names
    if report.drill:
        held = {part.partition("}")[0] for part in report.drill.split("{")[1:]}
        assert held <= names | ({"ends"} if "period" in names else set())
    measured = [column for column in report.columns if column.type in ("integer", "number")]
    assert [column.name for column in measured if not column.unit and column.name not in ("value", "previous")] == []


def test_the_suite_asks_with_parameters_that_exist() -> None:
    for name, given in ASKED.items():
        assert set(given) <= {parameter.name for parameter in reports.report(name).parameters}
    assert json.dumps(ASKED, default=str)
