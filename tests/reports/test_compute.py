"""Compute usage by the rules of its events: the maximum counts for each id, queries belong to their connection's
context, pods count over measured gaps; nothing is lost, and what belongs to nobody is shown."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.reporting import Desk, at
from whodid.analysis.price_book import PriceBook, checked
from whodid.errors import WhodidError
from whodid.event import Event, new_id

HOUR_MB_S = 1024 * 3600
CPU_HOUR_MS = 3_600_000


def usage(
    when: datetime, id: str, kind: str, *, phase: str = "update", context: dict[str, Any] | None = None, **blocks: Any
) -> Event:
    told = {"id": id, "type": kind, "context": context or {}, **blocks}
    return event(when, f"compute-resource-usage-{phase}", {"computeResourceUsage": told})


def event(when: datetime, kind: str, parameters: dict[str, Any]) -> Event:
    return Event(
        id=new_id(int(when.timestamp() * 1000)),
        time=when,
        type=kind,
        topic="compute-resource-usage",
        source="server",
        parameters=msgspec.Raw(msgspec.json.encode(parameters)),
    )


def process(when: datetime, id: str, gb_h: float, cpu_h: float, project: str = "SALES", user: str = "ann") -> Event:
    block = {"vmRSSTotalMBS": gb_h * HOUR_MB_S, "cpuTotalMS": cpu_h * CPU_HOUR_MS}
    context = {"type": "JUPYTER_NOTEBOOK_KERNEL", "projectKey": project, "authIdentifier": user}
    return usage(when, id, "LOCAL_PROCESS", context=context, localProcess=block)


def query(when: datetime, id: str, ms: int, *, connection: str | None, context: dict[str, Any] | None = None) -> Event:
    block = {"connectionUsageId": connection, "connection": "dwh", "statementExecutionTime": ms}
    return usage(when, id, "SQL_QUERY", phase="complete", context=context, sqlQuery=block)


def subjects(desk: Desk, **given: Any) -> dict[str, dict[str, Any]]:
    return {row["subject"]: row for row in desk.rows("compute", **given)}


def test_the_maximum_counts_for_each_id_in_whatever_order_it_came(desk: Desk) -> None:
    desk.put(process(at(3, 10), "p1", 2, 1), process(at(3, 9), "p1", 1, 0.5), process(at(3, 11), "p1", 1.5, 0.7))
    desk.put(process(at(3, 12), "p2", 4, 2))
    row = subjects(desk)["SALES"]
    assert (row["memory_gb_h"], row["cpu_h"], row["resources"]) == (pytest.approx(6), pytest.approx(3), 2)


def test_names_of_old_and_of_new_versions_mean_the_same(desk: Desk) -> None:
    old = {"rssMBSeconds": 3 * HOUR_MB_S, "userTimeMS": CPU_HOUR_MS, "systemTimeMS": CPU_HOUR_MS // 2}
    desk.put(usage(at(3), "old", "LOCAL_PROCESS", context={"projectKey": "OLD"}, localProcess=old))
    desk.put(process(at(3), "new", 3, 1.5, project="NEW"))
    found = subjects(desk)
    for name in ("memory_gb_h", "cpu_h"):
        assert found["OLD"][name] == pytest.approx(found["NEW"][name])


def test_a_day_used_what_the_running_maximum_grew_by(desk: Desk) -> None:
    desk.put(
        process(at(3, 10), "p", 2, 1),
        process(at(4, 10), "p", 5, 2),
        process(at(5, 10), "p", 5, 2),
        process(at(6, 10), "p", 9, 6),
    )
    found = subjects(desk, by="day")
    days = {day: row["memory_gb_h"] for day, row in found.items()}
    assert days == {
        "2026-11-03": pytest.approx(2),
        "2026-11-04": pytest.approx(3),
        "2026-11-05": pytest.approx(0),
        "2026-11-06": pytest.approx(4),
    }
    assert sum(row["resources"] for row in found.values()) == 1


def test_days_are_those_of_the_reader(desk: Desk) -> None:
    desk.put(process(at(3, 23.5), "p", 2, 1))
    assert list(subjects(desk, by="day", zone="Europe/Berlin")) == ["2026-11-04"]


def test_what_was_used_before_the_time_does_not_count_again(desk: Desk) -> None:
    desk.put(process(at(1, -2), "p", 7, 3), process(at(2, 10), "p", 9, 4))
    row = subjects(desk)["SALES"]
    assert (row["memory_gb_h"], row["cpu_h"]) == (pytest.approx(2), pytest.approx(1))


def test_a_query_belongs_to_its_own_context_else_to_its_connections(desk: Desk) -> None:
    own = {"type": "SQL_NOTEBOOK", "projectKey": "OWN", "authIdentifier": "ann"}
    connection = {"type": "JOB_ACTIVITY", "projectKey": "CONN", "authIdentifier": "bob"}
    desk.put(
        usage(at(3), "c1", "SQL_CONNECTION", phase="start", context=connection, sqlConnection={"connection": "dwh"}),
        query(at(3, 10), "q1", 1_800_000, connection="c1", context=own),
        query(at(3, 11), "q2", 3_600_000, connection="c1", context={"type": "UNKNOWN", "authIdentifier": "api"}),
        query(at(3, 12), "q3", 7_200_000, connection="lost", context={"type": "UNKNOWN"}),
        query(at(3, 13), "q4", 3_600_000, connection=None),
    )
    hours = {name: row["sql_h"] for name, row in subjects(desk).items()}
    assert hours == {"CONN": pytest.approx(1), "OWN": pytest.approx(0.5), "unattributed": pytest.approx(3)}
    people = {name: row["sql_h"] for name, row in subjects(desk, by="user").items()}
    assert people == {"ann": pytest.approx(0.5), "bob": pytest.approx(1), "unattributed": pytest.approx(3)}
    types = {name: row["sql_h"] for name, row in subjects(desk, by="type").items()}
    assert types == {
        "JOB_ACTIVITY": pytest.approx(1),
        "SQL_NOTEBOOK": pytest.approx(0.5),
        "unattributed": pytest.approx(3),
    }


def test_the_unattributed_is_shown_beyond_the_limit(desk: Desk) -> None:
    desk.put(*(process(at(3), f"p{number}", number + 1, 1, project=f"P{number}") for number in range(4)))
    desk.put(query(at(3), "q", 1000, connection=None))
    answer = desk.answer("compute", limit=2)
    assert answer.table.column("subject").to_pylist() == ["P3", "P2", "unattributed"]
    assert (answer.total, answer.truncated) == (5, True)


def census(when: datetime, *pods: dict[str, Any], cluster: str = "k8s") -> Event:
    return event(when, "kubernetes-cluster-usage-status", {"clusterId": cluster, "podsStatus": {"pods": list(pods)}})


def pod(memory_mb: float, millis: float, *, labels: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    return {"name": "p", "namespace": "dss", "phase": "Running", "memoryMB": memory_mb, "cpuCurrentMillis": millis,
            "labels": labels or {}, **more}  # fmt: skip


def test_pods_count_over_measured_gaps_and_never_over_longer_ones(desk: Desk) -> None:
    one = pod(
        6144, 3000, annotations={"dataiku.com/dku-project-key": "SALES"}, memoryRequestMB=12288, cpuRequestMillis=6000
    )
    desk.put(*(census(at(3, 9, seconds=60 * minute), one) for minute in (0, 10, 25, 41, 51)))
    row = subjects(desk)["SALES"]
    # 10, 15 and 10 minutes; the 16 minutes between were not measured.
    assert row["pod_memory_gb_h"] == pytest.approx(6 * 35 / 60)
    assert row["pod_cpu_h"] == pytest.approx(3 * 35 / 60)
    assert row["pod_memory_request_gb_h"] == pytest.approx(12 * 35 / 60)
    assert row["pod_cpu_request_h"] == pytest.approx(6 * 35 / 60)


def test_gaps_are_those_of_each_cluster(desk: Desk) -> None:
    desk.put(*(census(at(3, 9, seconds=300 * n), pod(1024, 0), cluster=f"k{n % 2}") for n in range(4)))
    assert subjects(desk)["unattributed"]["pod_memory_gb_h"] == pytest.approx(2 * 10 / 60)


def test_a_census_counts_until_the_next_one_even_if_that_comes_after_the_time(desk: Desk) -> None:
    desk.put(*(census(at(3, 9, seconds=60 * minute), pod(6144, 0)) for minute in (40, 50, 62, 72)))
    row = subjects(desk, since=at(3, 9), until=at(3, 10))["unattributed"]
    assert row["pod_memory_gb_h"] == pytest.approx(6 * (10 + 12) / 60)
    row = subjects(desk, since=at(3, 9, seconds=45 * 60), until=at(3, 9, seconds=55 * 60))["unattributed"]
    assert row["pod_memory_gb_h"] == pytest.approx(6 * 12 / 60)


def test_old_and_new_names_of_a_pods_cpu_mean_the_same(desk: Desk) -> None:
    old = {"name": "o", "memoryMB": 0, "cpuMillis": 2000}
    desk.put(census(at(3, 9), old, pod(0, 2000)), census(at(3, 9, seconds=600)))
    assert subjects(desk)["unattributed"]["pod_cpu_h"] == pytest.approx(2 * 2 * 10 / 60)


def test_a_pod_belongs_to_its_annotations_then_to_its_execution_then_to_its_labels(desk: Desk) -> None:
    key, execution = "dataiku.com/dku-project-key", "dataiku.com/dku-execution-id"
    context = {"type": "JOB_ACTIVITY", "projectKey": "JOBS", "authIdentifier": "bob"}
    # Labels are in lower case, whatever the id is in.
    job = {"executionId": "E-1", "cpuRequest": -1}
    desk.put(usage(at(3), "k", "SINGLE_K8S_JOB", context=context, singleK8SJob=job))
    desk.put(process(at(3), "p", 1, 1, project="Sales_EU"))
    pods = [
        pod(1024, 0, annotations={key: "NOTES"}, labels={key: "wrong", execution: "e-1"}),
        pod(2048, 0, labels={key: "wrong", execution: "e-1"}),
        pod(4096, 0, labels={key: "sales_eu"}),
        pod(8192, 0),
    ]
    desk.put(census(at(3, 9), *pods), census(at(3, 9, seconds=600)))
    found = {name: round(row["pod_memory_gb_h"] * 6, 6) for name, row in subjects(desk).items()}
    assert {name: found.get(name) for name in ("NOTES", "JOBS", "Sales_EU", "unattributed")} == {
        "NOTES": 1, "JOBS": 2, "Sales_EU": 4, "unattributed": 8,
    }  # fmt: skip


def test_language_models_count_their_tokens_once(desk: Desk) -> None:
    def call(when: datetime, queries: int) -> Event:
        block = {
            "llmId": "openai:gpt", "connection": "gateway", "totalQueries": queries, "totalPromptTokens": 100 * queries,
            "totalCompletionTokens": 10 * queries, "estimatedCostUSD": 0.5 * queries, "cacheHitQueries": 1,
        }  # fmt: skip
        return usage(when, "l", "LLM_USAGE", context={"projectKey": "SALES", "authIdentifier": "ann"}, llmUsage=block)

    desk.put(call(at(3), 1), call(at(3, 10), 4))
    row = desk.row("language-models")
    assert (row["model"], row["project"], row["queries"], row["prompt_tokens"], row["cache_hits"]) == (
        "openai:gpt", "SALES", 4, 400, 1,
    )  # fmt: skip
    found = subjects(desk)["SALES"]
    assert (found["llm_tokens"], found["llm_cost_usd"]) == (440, 2.0)


def test_someone_in_two_groups_counts_for_both_and_shares_are_of_the_whole(desk: Desk) -> None:
    desk.put(process(at(3), "a", 3, 1, user="ann"), process(at(3), "b", 1, 1, user="nobody"))
    found = subjects(desk, by="group")
    assert {name: row["memory_gb_h"] for name, row in found.items()} == {
        "Chemistry": pytest.approx(3), "Everyone": pytest.approx(3), "no group": pytest.approx(1),
    }  # fmt: skip
    assert found["Chemistry"]["memory_share_percent"] == pytest.approx(75)


def test_filters_choose_by_whom_the_use_belongs_to(desk: Desk) -> None:
    desk.put(process(at(3), "a", 3, 1, user="ann"), process(at(3), "b", 1, 1, user="cleo", project="HR"))
    assert list(subjects(desk, users=["cleo"])) == ["HR"]
    assert list(subjects(desk, projects=["SALES"])) == ["SALES"]
    assert list(subjects(desk, groups=["Sales"])) == ["HR"]


def test_idle_processes_hold_memory_and_do_nothing(desk: Desk) -> None:
    def running(id: str, hours: float, busy: float) -> list[Event]:
        block = {"vmRSSTotalMBS": hours * HOUR_MB_S * 4, "cpuTotalMS": hours * busy * CPU_HOUR_MS}
        context = {"type": "WEBAPP_BACKEND", "projectKey": "SALES", "authIdentifier": "ann", "webappId": "w1"}
        ended = at(3, 8) + timedelta(hours=hours)
        start = int(at(3, 8).timestamp() * 1000)
        return [usage(ended, id, "LOCAL_PROCESS", context=context, startTime=start, localProcess=block)]

    desk.put(*running("idle", 10, 0.01), *running("busy", 10, 0.5), *running("short", 1, 0.0))
    row = desk.row("compute-idle")
    assert (row["id"], row["thing"], row["person"]) == ("idle", "SALES.w1", "ann")
    assert (row["running_h"], row["memory_gb"], row["busy_percent"]) == (
        pytest.approx(10), pytest.approx(4), pytest.approx(1),
    )  # fmt: skip


def test_garbage_in_a_metric_costs_nothing(desk: Desk) -> None:
    block = {"vmRSSTotalMBS": "much", "cpuTotalMS": None}
    desk.put(usage(at(3), "x", "LOCAL_PROCESS", context={"projectKey": "SALES"}, localProcess=block))
    desk.put(event(at(3), "compute-resource-usage-update", {"computeResourceUsage": "nothing"}))
    row = subjects(desk)["SALES"]
    assert (row["memory_gb_h"], row["cpu_h"]) == (0, 0)


BOOK = [
    {"metric": "memory_gb_h", "unit_price": 0.5, "currency": "EUR"},
    {"metric": "cpu_h", "unit_price": 2, "currency": "EUR"},
]


def test_a_price_book_makes_costs() -> None:
    book = checked(BOOK)
    assert book.cost_of({"memory_gb_h": 4, "cpu_h": 3, "llm_cost_usd": 9}) == pytest.approx(8)
    assert PriceBook({}, None).cost_of({"memory_gb_h": 4}) is None


def test_dollars_take_the_platforms_estimate_for_models_unless_tokens_have_a_price() -> None:
    row = {"metric": "cpu_h", "unit_price": 1, "currency": "USD"}
    tokens = {"metric": "prompt_tokens", "unit_price": 0.001, "currency": "USD"}
    used = {"cpu_h": 1.0, "prompt_tokens": 1000.0, "llm_cost_usd": 9.0}
    assert checked([row]).cost_of(used) == pytest.approx(10)
    assert checked([row, tokens]).cost_of(used) == pytest.approx(2)


@pytest.mark.parametrize(
    ("book", "why"),
    [
        ([{"metric": "sun_h", "unit_price": 1, "currency": "EUR"}], "sun_h"),
        ([*BOOK, {"metric": "sql_h", "unit_price": 1, "currency": "USD"}], "EUR and USD"),
        ([BOOK[0], BOOK[0]], "two prices"),
        ([{"metric": "cpu_h", "unit_price": -1, "currency": "EUR"}], "cpu_h costs -1"),
        ({"cpu_h": 1}, "array"),
    ],
)
def test_what_is_no_price_book_is_refused(book: Any, why: str) -> None:
    with pytest.raises(WhodidError) as refused:
        checked(book)
    assert why in refused.value.message


def test_costs_come_from_the_directorys_price_book(desk: Desk, tmp_path: Path) -> None:
    from whodid.directory import Directory
    from whodid.reports import run

    directory = Directory.open(f"sqlite:///{tmp_path / 'settings.db'}")
    directory.change_setting("price_book", BOOK, by="ann")
    desk.put(process(at(3), "a", 4, 3), process(at(3), "b", 8, 0, project="HR"))
    table = run(desk.store, "compute", directory=directory, since=at(1, 0), until=at(21, 0)).table
    rows = {row["subject"]: row for row in table.to_pylist()}
    assert {name: (row["cost"], row["currency"]) for name, row in rows.items()} == {
        "SALES": (pytest.approx(8), "EUR"),
        "HR": (pytest.approx(4), "EUR"),
    }
    assert rows["HR"]["cost_share_percent"] == pytest.approx(100 / 3)
    directory.close()
