"""Reports in the words of Spark and Trino: every statement reads back there, and values stay values."""

from __future__ import annotations

import socket
from datetime import datetime
from typing import Any, cast

import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from support.reporting import ASKED, SPAN, story_memberships
from whodid import reports
from whodid.cli import main
from whodid.errors import WhodidError
from whodid.reports import engines
from whodid.reports.engines.translate import in_stages, literal, translated
from whodid.stores.base import Store

TABLE = "lake.whodid.events"
NOT_IN_THE_LAKE = {"audit-losses", "rejects"}
IN_THE_LAKE = [report for report in reports.catalogue() if report.name not in NOT_IN_THE_LAKE]
# What only DuckDB, or a report before it is put in words, says.
LEFT_OVER = {
    "TEXTS_OF", "ELEMENTS_OF", "NUMBER_OF", "PARAMETER", "CHOSEN", "SEEN", "LOCAL", "WHO", "PERSON", "ISFINITE",
    "JSON_EXTRACT_STRING", "QUANTILE_CONT", "JSON_TYPE", "PERCENTILE_CONT",
}  # fmt: skip
FILTERS: dict[str, Any] = {
    "users": ["erika.brandt", "it's \\ nobody"],
    "groups": ["Sales Analytics"],
    "projects": ["SALES"],
    "entities": ["project:SALES", "dataset:SALES.orders_clean"],
    "types": ["*_start", "login*"],
    "levels": ["audit"],
}

every_engine = pytest.mark.parametrize("engine", sorted(engines.ENGINES))
every_report = pytest.mark.parametrize("report", IN_THE_LAKE, ids=[report.name for report in IN_THE_LAKE])


def said(report: reports.Report, engine: str, **more: Any) -> str:
    given = {**SPAN, **ASKED.get(report.name, {}), **more}
    return engines.statement(report.name, engine, TABLE, directory=story_memberships(), **given)


@every_engine
@every_report
def test_a_statement_reads_back_as_the_engine_speaks(report: reports.Report, engine: str) -> None:
    zone = {"zone": "Europe/Berlin"} if report.takes_zone else {}
    filters = FILTERS if report.takes_filters else {}
    tree = sqlglot.parse_one(said(report, engine, **zone, **filters), read=engine)
    common = {table.alias for table in tree.find_all(exp.CTE)}
    tables = {".".join(part.name for part in table.parts) for table in tree.find_all(exp.Table)}
    assert tables - common == {TABLE}
    assert not list(tree.find_all(exp.Placeholder, exp.Parameter))
    assert not {word.name.upper() for word in tree.find_all(exp.Anonymous)} & LEFT_OVER
    assert isinstance(tree, exp.Query)
    if report.step is None:
        columns = [projection.alias_or_name for projection in _outermost(tree).selects]
        assert [name for name in columns if name != "of"] == [column.name for column in report.columns]


def _outermost(tree: exp.Query) -> exp.Query:
    """The query that names the columns: the inner one of `SELECT *, … FROM (…)`."""
    if not tree.is_star:
        return tree
    return _outermost(tree.args["from_"].this.this)


@every_engine
@every_report
def test_patterns_have_no_marks_which_trino_does_not_know(report: reports.Report, engine: str) -> None:
    assert "'g')" not in said(report, engine)


@every_engine
@pytest.mark.parametrize("name", sorted(NOT_IN_THE_LAKE))
def test_what_is_not_in_the_lake_is_said(name: str, engine: str) -> None:
    with pytest.raises(WhodidError, match="not in the lake") as caught:
        engines.statement(name, engine, TABLE)
    assert caught.value.code == "unsupported"


@every_engine
@settings(deadline=None)
@given(st.text())
def test_a_text_is_never_more_than_a_text(engine: str, text: str) -> None:
    sql = translated("SELECT $x AS x FROM events e", {"x": text}, engine, TABLE)
    tree = sqlglot.parse_one(sql, read=engine)
    assert isinstance(tree, exp.Query)
    (projection,) = tree.selects
    assert isinstance(projection.this, exp.Literal) and projection.this.this == text


@pytest.mark.parametrize(
    ("value", "spark"),
    [
        (None, "NULL"),
        (True, "TRUE"),
        (-3, "-3"),
        (0.5, "0.5"),
        (datetime(2026, 11, 1, 9, 30, 0, 5), "CAST('2026-11-01 09:30:00.000005' AS TIMESTAMP_NTZ)"),
        (["a", "it's"], "ARRAY('a', 'it\\'s')"),
    ],
)
def test_values_stand_in_the_text(value: Any, spark: str) -> None:
    assert literal(value).sql("spark") == spark


def test_a_recursion_is_written_out_step_by_step() -> None:
    report = reports.report("origin")
    text = said(report, "trino", depth=3)
    assert "RECURSIVE" not in text and '"flow_up_3"' in text and '"flow_up_4"' not in text


@pytest.mark.parametrize("name", [report.name for report in IN_THE_LAKE])
def test_stages_read_those_before_them(name: str) -> None:
    asked = reports.prepare(cast("Store", engines._Nothing()), name, **{**SPAN, **ASKED.get(name, {})})
    stages, rest = in_stages(asked.sql, asked.params, "spark", TABLE, "asked_1")
    made = {TABLE}
    for sql, view in [*((stage.sql, stage.name) for stage in stages), (rest, "")]:
        tree = sqlglot.parse_one(sql, read="spark")
        common = {table.alias for table in tree.find_all(exp.CTE)}
        tables = {".".join(part.name for part in table.parts) for table in tree.find_all(exp.Table)}
        assert tables - common <= made
        made.add(view)


def test_what_is_read_often_is_worked_out_once() -> None:
    asked = reports.prepare(cast("Store", engines._Nothing()), "origin", entity="dataset:a", depth=2)
    stages, rest = in_stages(asked.sql, asked.params, "spark", TABLE, "one")
    once = {stage.name for stage in stages if stage.once}
    assert {"one_flow_runs", "one_flow_edges", "one_flow_up_2"} <= once
    assert not {"one_flow_things", "one_flow_up", "one_flow_above"} & once
    assert sum(TABLE.replace(".", "`.`") in sql for sql in (*(stage.sql for stage in stages), rest)) == 2


@every_engine
def test_rows_of_lists_are_joined(engine: str) -> None:
    text = said(reports.report("kubernetes"), engine)
    assert {"spark": "LATERAL VIEW EXPLODE(FROM_JSON(", "trino": "CROSS JOIN UNNEST(TRY_CAST("}[engine] in text


@pytest.mark.parametrize("table", ["events; DROP TABLE x", "a.b.c.d.e", "", "`x`"])
def test_a_table_is_a_name(table: str) -> None:
    with pytest.raises(WhodidError, match="The table is"):
        engines.statement("types", "spark", table)


@pytest.mark.parametrize("kind", ["postgres", "duckdb"])
def test_other_engines_are_not_known(kind: str) -> None:
    with pytest.raises(WhodidError, match=f"There is no '{kind}'"):
        engines.open_engine(kind, "x", TABLE, {})


def test_the_command_prints_the_statement(capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    words = ["report", "types", "--engine", "trino", "--print-sql", "--lake-table", "a.b.c", "--data", str(tmp_path)]
    assert main(words) == 0
    shown = capsys.readouterr()
    assert sqlglot.parse_one(shown.out, read="trino").find(exp.Table)
    assert '"a"."b"."c"' in shown.out and "nothing is known of groups" in shown.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--engine", "spark"], "Where is spark?"),
        (["--print-sql"], "No engine is named."),
        (["--engine-url", "spark://h:7077"], "--engine-url is for an engine, and none is named."),
        (["--lake-table", "a.b.c", "--engine-option", "a=b"], "--lake-table and --engine-option are for an engine"),
        (["--engine", "trino", "--engine-url", "trino:8080"], "is no URL"),
        (["--engine", "trino", "--engine-url", "http://[trino"], "is no URL"),
        (["--engine", "trino", "--engine-url", "http://trino:port"], "is no URL"),
        (["--engine", "trino", "--print-sql", "--server", "http://127.0.0.1:1"], "Leave one of them out."),
    ],
)
def test_the_command_says_what_is_missing(
    capsys: pytest.CaptureFixture[str], tmp_path: Any, words: list[str], told: str
) -> None:
    assert main(["report", "types", "--data", str(tmp_path), *words]) != 0
    assert told in capsys.readouterr().err


def test_what_the_environment_says_of_engines_hinders_nobody(
    capsys: pytest.CaptureFixture[str], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHODID_ENGINE_URL", "spark://h:7077")
    monkeypatch.setenv("WHODID_LAKE_TABLE", "a.b.c")
    assert main(["report", "--data", str(tmp_path)]) == 0
    assert main(["report", "--lake-table", "d.e.f", "--data", str(tmp_path)]) != 0
    assert "--lake-table is for an engine" in capsys.readouterr().err


def test_a_master_that_does_not_answer_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    session = pytest.importorskip("pyspark.sql").SparkSession
    protocol = pytest.importorskip("py4j.protocol")

    def given_up(_: object) -> None:
        raise protocol.Py4JError("Cannot call methods on a stopped SparkContext.")

    monkeypatch.setattr(session.Builder, "getOrCreate", given_up)
    with socket.create_server(("127.0.0.1", 0)) as listening, pytest.raises(WhodidError) as refused:
        engines.open_engine("spark", f"spark://127.0.0.1:{listening.getsockname()[1]}", TABLE, {})
    assert refused.value.code == "unavailable"
    assert "stopped SparkContext" in refused.value.message


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("spark://127.0.0.1:1", "cannot be reached: Connection refused."),
        ("spark://127.0.0.1:1,127.0.0.1:2", "cannot be reached: Connection refused."),
        ("sc://127.0.0.1:1/;token=hunter2", "Spark at sc://127.0.0.1:1/ cannot be reached: Connection refused."),
        ("spark://127.0.0.1:x", "cannot be reached: Port"),
    ],
)
def test_where_nobody_listens_spark_is_not_even_started(url: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would try for a minute, and tell of it in Java's traces."""
    session = pytest.importorskip("pyspark.sql").SparkSession
    monkeypatch.setattr(session.Builder, "getOrCreate", lambda _: pytest.fail("Spark was started."))
    with pytest.raises(WhodidError) as refused:
        engines.open_engine("spark", url, TABLE, {})
    assert refused.value.code == "unavailable"
    assert reason in refused.value.message
    assert "hunter2" not in str(refused.value)


def test_spark_tells_of_errors_alone_until_it_is_asked_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    session = pytest.importorskip("pyspark.sql").SparkSession
    given: dict[str, str] = {}

    def ended(builder: object) -> None:
        given.update(builder._options)  # type: ignore[attr-defined]
        raise RuntimeError("enough")

    monkeypatch.setattr(session.Builder, "getOrCreate", ended)
    for given_settings, level in (({}, "ERROR"), ({"spark.log.level": "WARN"}, "WARN")):
        with pytest.raises(WhodidError, match="enough"):
            engines.open_engine("spark", "local[1]", TABLE, given_settings)
        assert given["spark.log.level"] == level
