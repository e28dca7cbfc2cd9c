"""The console: one SELECT, its answer as table, chart and file; who may, what is kept, what is told of it."""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape

import httpx
import pyarrow.parquet as parquet
import pytest

from support.reading import event
from support.web import WebServer
from whodid.directory.sign_in import COOKIE
from whodid.web.pages.console.examples import EXAMPLES

ENDLESS = "SELECT count(*) AS n FROM range(100000000) a, range(100000000) b"


def browser(server: WebServer, login: str, role: str, **limits: object) -> httpx.Client:
    directory = server.engine.directory
    if not any(one.login == login for one in directory.users(text=login)):
        directory.create_user(login, by="test")
        directory.grant(role, user=login, by="test", **limits)  # type: ignore[arg-type]
    _, secret = directory.open_browser(login, way="password")
    return httpx.Client(base_url=server.url, cookies={COOKIE: secret}, headers={"origin": server.url}, timeout=30)


@pytest.fixture
def auditor(server: WebServer) -> Iterator[httpx.Client]:
    with browser(server, "audrey", "auditor") as client:
        yield client


def test_a_statement_is_answered_as_a_table_without_scripts(auditor: httpx.Client) -> None:
    sql = 'SELECT "user", count(*) AS events, NULL AS nothing FROM events WHERE "user" = \'erika\' GROUP BY 1'
    page = auditor.post("/console", data={"sql": sql})
    assert page.status_code == 200
    assert "1 row</b> in" in page.text and '<a href="/users/erika' in page.text and "null" in page.text


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one.title)
def test_examples_run_as_they_are(auditor: httpx.Client, example: object) -> None:
    answer = auditor.post("/console/answer", data={"sql": example.sql})  # type: ignore[attr-defined]
    assert "cannot be answered" not in answer.text and " in " in answer.text


def test_the_example_counts_people_as_reports_do(auditor: httpx.Client, server: WebServer) -> None:
    at = datetime.now(UTC)
    server.store([event("script-start", at=at, user=user) for user in ("api:etl", "api:crm", "no:auth")])
    (people,) = (one for one in EXAMPLES if one.title == "People a day")
    counted = auditor.post("/v1/query", json={"sql": people.sql}).json()["rows"]
    reported = auditor.get("/v1/reports/activity?since=30d").json()["rows"]
    assert [row["people"] for row in counted] == [row["users"] for row in reported if row["users"]]


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT nonsense FROM events", "nonsense"),
        ("DELETE FROM events", "SELECT"),
        ("SELECT * FROM read_csv('/etc/passwd')", ""),
        ("", "There is no statement"),
        ("SELECT 'infinity'::date AS day", "outside of the years 1 to 9999"),
        (
            "SELECT 'infinity'::timestamp AS at, 1 AS n UNION ALL SELECT TIMESTAMP '2026-11-01', 2",
            "outside of the years",
        ),
    ],
)
def test_what_cannot_be_answered_says_why_and_the_statement_stays(auditor: httpx.Client, sql: str, told: str) -> None:
    page = auditor.post("/console", data={"sql": sql})
    assert page.status_code in (400, 403)
    assert "It cannot be answered" in page.text and told in page.text
    assert 'aria-invalid="true"' in page.text
    assert "root:" not in page.text


def test_times_become_lines_and_categories_bars(auditor: httpx.Client) -> None:
    lines = "SELECT date_trunc('day', time) AS day, count(*) AS events FROM events GROUP BY 1 ORDER BY 1"
    assert "&#34;line&#34;" in auditor.post("/console/answer", data={"sql": lines}).text
    bars = "SELECT type, count(*) AS events FROM events GROUP BY 1 ORDER BY 2 DESC"
    answer = auditor.post("/console/answer", data={"sql": bars}).text
    assert "&#34;bar&#34;" in answer and "events by type" in answer
    assert "data-spec" not in auditor.post("/console/answer", data={"sql": "SELECT 1 AS one"}).text


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("('2026-11-01', NULL, 'a'), ('2026-11-02', 5, 'a'), ('2026-11-03', NULL, 'a')", ""),
        ("('2026-11-01', 4, 'a'), ('2026-11-02', 5, 'b'), ('2026-11-03', 6, 'c')", "took over day"),
        ("('2026-11-01', 4, 'a'), ('2026-11-01', 5, 'b'), ('2026-11-03', 6, 'c')", ""),
        ("('2026-11-01', 4, 'a'), ('2026-11-01', 5, 'b'), ('2026-11-03', 6, 'b')", "took over day, by name"),
    ],
    ids=["one number", "each its own name", "nor a time of its own", "names come again"],
)
def test_only_numbers_that_there_are_become_lines_and_only_categories_tell_them_apart(
    auditor: httpx.Client, rows: str, told: str
) -> None:
    sql = f"SELECT CAST(began AS date) AS day, took, name FROM (VALUES {rows}) AS v (began, took, name)"
    page = auditor.post("/console/answer", data={"sql": sql}).text
    assert ("data-spec" in page) == bool(told) and told in page


def test_bars_are_as_high_as_they_are_many_without_a_word_from_the_charts_library(auditor: httpx.Client) -> None:
    sql = "SELECT * FROM (VALUES ('a', 3), ('b', 2), ('c', 1)) AS v (name, n)"
    page = auditor.post("/console/answer", data={"sql": sql}).text
    found = re.search(r'data-spec="([^"]+)"', page)
    assert found
    spec = json.loads(unescape(found[1]))
    # With a height of steps, vega-lite drops what it was told of fitting, and warns of it.
    assert (spec["autosize"]["type"], spec["height"]) == ("fit-x", 60)


def test_the_answer_is_exported_in_each_format_and_that_is_told(auditor: httpx.Client, server: WebServer) -> None:
    asked = {"sql": "SELECT type, count(*) AS n FROM events WHERE type = 'query-start' GROUP BY 1"}
    csv = auditor.post("/console/export", data={**asked, "format": "csv"})
    assert csv.text.splitlines() == ["type,n", "query-start,1"] and "attachment" in csv.headers["content-disposition"]
    table = parquet.read_table(io.BytesIO(auditor.post("/console/export", data={**asked, "format": "parquet"}).content))
    assert table.to_pylist() == [{"type": "query-start", "n": 1}]
    assert auditor.post("/console/export", data={**asked, "format": "json"}).json()["rows"][0]["n"] == 1
    assert {row["user"] for row in server.recorded("query-run")} >= {"audrey"}
    failed = auditor.post("/console/export", data={"sql": "SELECT nonsense FROM events", "format": "csv"})
    assert failed.status_code == 400 and "It cannot be answered" in failed.text


def test_what_one_asked_is_in_ones_own_history_once(auditor: httpx.Client, server: WebServer) -> None:
    for _ in range(2):
        auditor.post("/console/answer", data={"sql": "SELECT 4711 AS of_audrey"})
    server.engine.flush()
    assert auditor.get("/console/history").text.count("<li>") >= 1
    assert auditor.get("/console/history").text.count("</code></a>") == auditor.get("/console/history").text.count(
        "<li>"
    )
    assert auditor.get("/console?history=1").text.count("<code>SELECT 4711") == 1
    with browser(server, "otherone", "auditor") as other:
        assert "of_audrey" not in other.get("/console/history").text


def test_a_running_statement_is_stopped_by_who_runs_it(auditor: httpx.Client, server: WebServer) -> None:
    found: list[httpx.Response] = []
    asking = threading.Thread(
        target=lambda: found.append(auditor.post("/console/answer", data={"sql": ENDLESS, "run": "r1"}))
    )
    asking.start()
    with browser(server, "audrey", "auditor") as same, browser(server, "otherone", "auditor") as other:
        while same.post("/console/stop", data={"run": "r1"}).text != "stopped":
            assert asking.is_alive()
            assert other.post("/console/stop", data={"run": "r1"}).text == "nothing runs"
    asking.join(timeout=20)
    assert "The query was stopped." in found[0].text


def test_queries_are_saved_shared_renamed_and_deleted_by_their_owner(auditor: httpx.Client, server: WebServer) -> None:
    where = auditor.post("/console/queries", data={"sql": "SELECT 1 AS mine", "name": "Mine"}).headers["location"]
    assert "SELECT 1 AS mine" in auditor.get(where).text
    which = where.partition("saved=")[2].partition("&")[0]
    with browser(server, "otherone", "auditor") as other:
        assert other.get(f"/console?saved={which}").status_code == 404
        auditor.post(f"/console/queries/{which}", data={"name": "Ours", "shared": "1"})
        assert "Ours" in other.get("/console").text
        assert other.post(f"/console/queries/{which}/delete").status_code == 403
        assert other.post(f"/console/queries/{which}", data={"name": "Stolen"}).status_code == 403
    assert auditor.post("/console/queries", data={"sql": "SELECT 2", "name": ""}).status_code == 400
    assert auditor.post(f"/console/queries/{which}/delete").status_code == 303
    assert "Ours" not in auditor.get("/console").text
    assert [row["user"] for row in server.recorded("saved-query-deleted")] == ["audrey"]


def test_readers_are_refused_and_not_shown_it(server: WebServer) -> None:
    with browser(server, "rita", "reader", projects=["CHEM"]) as reader:
        assert reader.get("/console").status_code == 403
        assert reader.post("/console/answer", data={"sql": "SELECT 1"}).status_code == 403
        assert 'href="/console"' not in reader.get("/", headers={"accept": "text/html"}).text
