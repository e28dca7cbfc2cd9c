"""Reports that read what is counted by the hour say what counting the events would, to the last event."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from importlib.resources import files
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from support.reporting import ASKED, Memberships, asked, plain_rows
from support.story import END
from whodid import reports
from whodid.reading import selection
from whodid.reading.dialect import dialect_of
from whodid.reading.sight import EVERYTHING, Sight
from whodid.reports import kept
from whodid.reports.common import Shift
from whodid.reports.report import Report
from whodid.reports.words import FLOW_ROLES, statement, translated
from whodid.stores.base import KEPT, Store

PARTS = files(reports) / "sql" / "parts"


def reads(report: Report) -> frozenset[str]:
    """What is kept that a report reads, or what it needs first."""
    needed = "" if report.needs is None else (PARTS / f"{report.needs}.sql").read_text("utf-8")
    return frozenset(name for name in kept.RELATIONS if name in report.sql + needed)


COUNTED = [report for report in reports.catalogue() if reads(report)]
# Far engines take ten times as long to plan a question: there one report of all that read the same.
FAR = {reads(report): report.name for report in COUNTED}.values()
ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kolkata", "Australia/Lord_Howe")
SIGHTS = (
    EVERYTHING,
    EVERYTHING,
    Sight(users=("erika.brandt", "jonas.keller")),
    Sight(projects=("SALES",)),
    Sight(users=("erika.brandt",), entities=(("dataset", "SALES.orders_clean"),)),
)
FILTERS: tuple[dict[str, list[str]], ...] = (
    {},
    {"users": ["erika.brandt"]},
    {"groups": ["Sales Analytics"]},
    {"projects": ["SALES", "CHURN"]},
    {"types": ["*-start", "!login*"]},
    {"levels": ["audit", "error"], "topics": ["generic"]},
    {"entities": ["project:SALES"]},
    {"entities": ["dataset:SALES.orders_clean"], "levels": ["!debug"]},
    {"entities": ["dataset:SALES.orders_clean", "project:CHURN"]},
)


def some_question(report: Report, chance: random.Random) -> dict[str, Any]:
    """A span that begins and ends anywhere, seldom at a whole hour, with a filter, a zone, and what a reader sees."""
    since = END - timedelta(days=chance.uniform(1, 40))
    given: dict[str, Any] = {"since": since, "until": since + timedelta(hours=chance.choice((0.1, 5, 24, 333.3, 700)))}
    if chance.random() < 0.3:
        given = {name: moment.replace(minute=0, second=0, microsecond=0) for name, moment in given.items()}
    given |= {name: value for name, value in ASKED.get(report.name, {}).items() if name not in given}
    if report.takes_zone:
        given["zone"] = chance.choice(ZONES)
    given |= {one.name: chance.choice(one.choices) for one in report.parameters if one.name == "by"}
    if report.takes_filters:
        given |= chance.choice(FILTERS)
    if report.keeps_to_sight:
        given["sight"] = chance.choice(SIGHTS)
    return given


@pytest.mark.parametrize("report", COUNTED, ids=[report.name for report in COUNTED])
def test_the_counts_and_the_events_give_the_same_rows(
    store: Store, memberships: Memberships, monkeypatch: pytest.MonkeyPatch, report: Report
) -> None:
    if reads(report).isdisjoint(dialect_of(store.kind).kept):
        pytest.skip("This store keeps nothing of what the report reads.")
    chance = random.Random(report.name)
    if store.kind == "clickhouse" and report.name not in FAR:
        pytest.skip("Another report reads the same.")
    for _ in range(4 if store.kind != "clickhouse" else 1):
        given = some_question(report, chance)
        counted = asked(store, report, memberships, **given)
        with monkeypatch.context() as patched:
            patched.setattr(kept, "relations", partial(kept.relations, whole=False))
            raw = asked(store, report, memberships, **given)
        assert plain_rows(counted, report) == plain_rows(raw, report), given
        assert counted.total == raw.total


@pytest.mark.parametrize("name", ["types", "entity-users", "overview", "activity", "entity-history"])
def test_what_touched_a_thing_besides_may_be_named_or_looked_for(
    store: Store, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    further = dialect_of(store.kind).event_entities
    touching = f"SELECT time FROM {further} WHERE type = 'project' AND id = 'SALES' ORDER BY time"
    touched = store.query(touching, trusted=True).table["time"].to_pylist()
    for since, until in ((touched[10], touched[-10]), (touched[-20], END + timedelta(days=1))):
        found = []
        for named_max in (10**9, 0):
            monkeypatch.setattr(selection, "FURTHER_MAX", named_max)
            found.append(reports.run(store, name, entities="project:SALES", since=since, until=until).table.to_pylist())
        assert found[0] == found[1]
        assert found[0]


@pytest.mark.parametrize("name", ["errors", "error-groups"])
def test_errors_are_found_by_what_they_touched_besides(
    store: Store, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    dialect = dialect_of(store.kind)
    errors = translated("SELECT e.id FROM events e WHERE is_error()", store.kind)
    touched = f"SELECT DISTINCT type || ':' || id AS thing FROM {dialect.event_entities} WHERE event_id IN ({errors})"
    things = store.query(touched, trusted=True).table["thing"].to_pylist()
    assert len(things) > 3
    for thing in things:
        found = []
        for named_max in (10**9, 0):
            monkeypatch.setattr(selection, "FURTHER_MAX", named_max)
            found.append(reports.run(store, name, entities=thing, since=END - timedelta(days=90)).table.to_pylist())
        assert found[0] == found[1]
        assert found[0]


# What is asked of what is kept, and what of the events

USAGE = {"usage_hours", "usage_days"}
COUNTED_BY_TIME = {name for name in kept.RELATIONS if KEPT[name][0] in ("hour", "day")}
OF_QUERIES = {"query_hours", "entity_query_hours"}
BY_TIME = COUNTED_BY_TIME - USAGE - OF_QUERIES - {"item_hours", "version_hours", "pod_hours"} | {*kept.NOBODY.values()}
SESSIONS = {"session_hours", "session_days"}
# Of people, projects and things these tell nothing.
RUNS = {"run_hours", "run_lists"}
FLOWS = {"flow_hours", "flow_days"}
ENTITY = ("dataset", "SALES.orders")


def told(sight: Sight = EVERYTHING, filters: Sequence[str] = (), **given: Any) -> kept.Relations:
    chosen = kept.Chosen(filters, ENTITY if "entities" in filters else None, "all of it", "the rest")
    return kept.relations("duckdb", str, **{"times": [], "sight": sight, "chosen": chosen, **given})


def from_events(relations: kept.Relations) -> set[str]:
    """Relations that are read from nothing but the events."""
    return {
        name
        for name, relation in relations.told.items()
        if "FROM events" in relation and "_hours" not in relation and "_days" not in relation
    }


def test_hours_in_which_a_time_lies_are_read_from_the_events() -> None:
    times = [datetime(2026, 11, 1, 9, 30), datetime(2026, 11, 1, 9, 45), datetime(2026, 11, 2)]
    found = told(times=times)
    assert found.params == {"edge_0": datetime(2026, 11, 1, 9), "edge_day_0": datetime(2026, 11, 1)}
    assert "CAST($edge_0" in found.told["event_hours"]
    assert "CAST($edge_1" not in found.told["event_hours"]


def test_at_whole_hours_the_events_are_not_read() -> None:
    found = told(times=[datetime(2026, 11, 1, 9)], filters=["users", "groups"])
    assert found.params == {"edge_day_0": datetime(2026, 11, 1)}
    assert {name for name, relation in found.told.items() if "FROM events" in relation} == RUNS


def test_days_in_which_a_time_lies_are_read_by_the_hour() -> None:
    found = told(times=[datetime(2026, 11, 1, 9), datetime(2026, 11, 1, 10), datetime(2026, 11, 2)])
    assert "FROM counted_user_days" in found.told["user_days"]
    assert "FROM counted_user_hours" in found.told["user_days"]
    assert "FROM events" not in found.told["user_days"]


@pytest.mark.parametrize("given", [{"by": "hour"}, {"zone": (Shift(None, 3_600),)}])
def test_what_is_cut_otherwise_than_to_days_of_utc_is_read_by_the_hour(given: dict[str, Any]) -> None:
    found = told(times=[datetime(2026, 11, 2)], **given)
    assert not any(one.endswith("_days") for relation in found.told.values() for one in relation.split())
    assert found.told["user_days"] == found.told["user_hours"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"filters": ["projects", "topics", "types", "levels"]}, SESSIONS | RUNS | FLOWS),
        ({"filters": ["projects"]}, RUNS | FLOWS),
        ({"filters": ["levels", "types"]}, SESSIONS),
        ({"zone": (Shift(None, 19_800),)}, BY_TIME),
        ({"zone": (Shift(None, 3_600), Shift(datetime(2026, 3, 29, 1), 7_200))}, set()),
        ({"zone": (Shift(None, 3_600), Shift(datetime(2026, 3, 29, 1, 30), 7_200))}, BY_TIME),
        ({"sight": Sight(users=("ann",))}, RUNS),
        ({"sight": Sight(projects=("A",))}, RUNS | FLOWS),
        ({"sight": Sight(entities=(("a", "b"),))}, BY_TIME),
    ],
)
def test_what_is_not_kept_is_read_from_the_events(given: dict[str, Any], expected: set[str]) -> None:
    assert from_events(told(**given)) == expected


@pytest.mark.parametrize("given", [{"zone": (Shift(None, 19_800),)}, {"sight": Sight(entities=(("a", "b"),))}])
def test_use_of_compute_that_is_not_kept_by_the_hour_is_read_from_its_events(given: dict[str, Any]) -> None:
    assert {told(**given).told[name] for name in USAGE} == {
        "(SELECT e.*, e.time AS first, e.time AS last FROM usage_events e)"
    }


def test_pods_of_an_hour_in_which_a_time_lies_are_told_of_censuses_up_to_the_next_one() -> None:
    found = told(times=[datetime(2026, 11, 1, 9), datetime(2026, 11, 2)]).told["pod_hours"]
    assert "FROM pod_hours WHERE TRUE" in found and "pod_events" not in found
    found = told(times=[datetime(2026, 11, 1, 9, 30)]).told["pod_hours"]
    assert 'FROM pod_hours WHERE "hour" NOT IN (CAST($edge_0 AS timestamp))' in found
    edge = "CAST($edge_0 AS timestamp)"
    assert f"(c.time >= {edge} AND c.time < {edge} + INTERVAL '75 minutes')" in found
    assert f"(e.time >= {edge} AND e.time < {edge} + INTERVAL '1 hour')" in found


def test_one_thing_is_asked_of_what_is_kept_by_thing() -> None:
    found = told(filters=["entities", "levels"])
    for name in ("user_hours", "event_hours", "entity_hours", "user_days", "event_days", "entity_days"):
        assert '"entity_id" = CAST($kept_id' in found.told[name]
    assert (found.chosen["event_hours"], found.chosen["error_events"]) == ("the rest", "all of it")
    assert found.told["error_events"] == "error_events"
    first_things = {"total_hours", *(f"thing_{length}{of}" for length in ("hours", "days") for of in ("", " of all"))}
    assert from_events(found) == SESSIONS | RUNS | FLOWS | first_things


def test_queries_of_one_thing_are_asked_of_what_is_kept_by_thing() -> None:
    def read(filters: Sequence[str]) -> kept.Relations:
        chosen = kept.Chosen(filters, ENTITY if "entities" in filters else None, "all of it", "the rest")
        return kept.relations("postgresql", str, times=[], chosen=chosen, sight=EVERYTHING)

    assert "FROM whodid.query_hours " in read(["topics"]).told["query_hours"]
    found = read(["entities"])
    assert "FROM whodid.entity_query_hours " in found.told["query_hours"]
    assert '"entity_id" = CAST($kept_id' in found.told["query_hours"]
    assert (found.chosen["query_hours"], found.chosen["query_events"]) == ("the rest", "all of it")


def test_people_by_project_are_asked_of_what_tells_of_projects() -> None:
    assert "FROM counted_event_hours" in told(filters=["projects"]).told["user_hours"]
    assert "FROM counted_user_hours" in told().told["user_hours"]


@pytest.mark.parametrize("name", sorted(kept.NOBODY))
def test_whoever_asks_for_nobody_is_told_without_people(name: str) -> None:
    def read(select: str, **given: Any) -> str:
        chosen = kept.Chosen(given.pop("filters", ()))
        found = kept.relations("postgresql", str, times=[], chosen=chosen, **{"sight": EVERYTHING, **given})
        return statement(f"SELECT {select} FROM {name} e WHERE chosen()", "postgresql", relations=found)

    told_by = f"FROM whodid.{name} "
    assert "FROM whodid.total_hours " in read("e.type, sum(e.events)")
    assert "FROM whodid.total_hours " in read("e.type, sum(e.events)", filters=["projects"])
    for people in ("e.who", "e.person", 'e."user"', "who()"):
        assert "total_hours" not in read(f"e.type, {people}")
    for given in ({"filters": ["users"]}, {"sight": Sight(users=("ann",))}):
        assert "total_hours" not in read("e.type, sum(e.events)", **given)
    assert told_by.replace("entity", "thing") in read("e.type, e.who")


def test_relations_have_the_columns_that_are_asked_for() -> None:
    found = told(asking='SELECT "verb", sum(e.events) FROM {entity_days} e', filters=["entities"])
    assert found.told["entity_days"].count('"verb", "events" FROM') == 2
    assert "AS verb" in found.told["entity_days"]
    assert "package" not in found.told["entity_days"]


@pytest.mark.parametrize("report", COUNTED, ids=[report.name for report in COUNTED])
def test_reports_name_the_columns_of_what_is_counted(report: Report) -> None:
    for select in sqlglot.parse_one(report.sql, read="duckdb").find_all(exp.Select):
        reads = {table.name for table in select.find_all(exp.Table) if table.parent_select is select}
        assert not (reads & (BY_TIME | USAGE) and select.is_star), select.sql()


def test_what_makes_flows_is_what_reports_of_flows_read() -> None:
    flows = (PARTS / "flow_edges.sql").read_text("utf-8")
    told = re.findall(r"WHEN t\[4\] IN \(([^)]*)\)", flows)
    assert tuple(re.findall(r"'(\w+)'", " ".join(told))) == FLOW_ROLES


def looking(kind: str, word: str, where: str, **given: Any) -> str:
    """What a statement says that looks at one thing's events."""
    chosen = kept.Chosen(["entities"], ENTITY, where, "the rest")
    found = kept.relations(kind, str, times=[], chosen=chosen, sight=EVERYTHING, **given)
    return statement(f"SELECT 1 FROM events e WHERE {word}", kind, chosen.where, relations=found)


def test_what_touched_a_thing_is_looked_for_in_the_hours_that_were_found() -> None:
    further = f"e.id IN (SELECT x.event_id FROM event_entities x WHERE x.id = 'a' {selection.FROM_WHEN})"
    span = '({0}."time" >= CAST($span_0 AS timestamp) AND {0}."time" < CAST($span_1 AS timestamp))'
    of_events, of_further = (f"({span.format(table)})" for table in "ex")
    found = looking("duckdb", "chosen_in_hours()", further, hours=[datetime(2026, 11, 1, 9)])
    assert found.endswith(f"WHERE ({of_events} AND {further.replace(selection.FROM_WHEN, f'AND {of_further}')})")
    for word, hours in (("chosen()", [datetime(2026, 11, 1, 9)]), ("chosen_in_hours()", None)):
        assert "span_0" not in looking("duckdb", word, further, hours=hours)


def test_what_touched_a_thing_is_found_by_its_ids_where_they_are_indexed() -> None:
    hours = [datetime(2026, 11, 1, 9)]
    found = looking("postgresql", "chosen_in_hours()", "all of it", hours=hours)
    assert 'the rest AND e."id" IN (SELECT x."id" FROM whodid.events x' in found
    assert found.count('x."time" >= CAST($span_0 AS timestamp)') == 2
    assert "all of it" in looking("postgresql", "chosen()", "all of it", hours=hours)
    assert "all of it" in looking("duckdb", "chosen_in_hours()", "all of it", hours=hours)
