"""SQL over HTTP: typed answers, hard limits, nothing but one SELECT."""

from __future__ import annotations

import csv
import io
from typing import Any

import pyarrow as pa
import pytest

from support.web import WebServer


def ask(server: WebServer, sql: str, **more: Any) -> Any:
    return server.client.post("/v1/query", json={"sql": sql, **more})


def test_an_answer_has_columns_with_types_and_rows(server: WebServer) -> None:
    sql = 'SELECT "user", parameters, time, duration_ms, 1 AS n, 2 AS n FROM events WHERE type = $type'
    found = ask(server, sql, params={"type": "query-start"}).json()
    assert [(one["name"], one["type"]) for one in found["columns"]] == [
        ("user", "varchar"),
        ("parameters", "json"),
        ("time", "timestamp"),
        ("duration_ms", "double"),
        ("n", "bigint"),
        ("n_2", "bigint"),
    ]
    (row,) = found["rows"]
    assert (row["user"], row["parameters"], row["duration_ms"], row["n"], row["n_2"]) == (
        "erika",
        {"big": 2**60},
        12.5,
        1,
        2,
    )
    assert row["time"].endswith("Z")
    assert found["truncated"] is False


def test_a_cut_answer_says_so(server: WebServer) -> None:
    answer = ask(server, "SELECT type FROM events", limit=2)
    assert len(answer.json()["rows"]) == 2
    assert answer.json()["truncated"] is True
    assert answer.headers["whodid-truncated"] == "true"


def test_parameters_may_be_a_list(server: WebServer) -> None:
    found = ask(server, "SELECT count(*) AS n FROM events WHERE type = $1", params=["query-start"]).json()
    assert found["rows"] == [{"n": 1}]


def test_other_formats_by_accept_header(server: WebServer) -> None:
    body = {"sql": "SELECT type, '=1+1' AS formula FROM events WHERE type = 'query-start'"}
    text = server.client.post("/v1/query", json=body, headers={"accept": "text/csv"}).text
    assert list(csv.reader(io.StringIO(text))) == [["type", "formula"], ["query-start", "'=1+1"]]
    arrow = server.client.post("/v1/query", json=body, params={"format": "arrow"}).content
    assert pa.ipc.open_stream(arrow).read_all().to_pylist() == [{"type": "query-start", "formula": "=1+1"}]


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE events",
        "SELECT 1; SELECT 2",
        "COPY events TO '/tmp/x'",
        "SELECT * FROM read_text('/etc/passwd')",
        "ATTACH '/tmp/x'",
        "SET memory_limit = '1TB'",
        "INSTALL httpfs",
        "",
        "SELEC",
        "INSERT INTO events SELECT * FROM events",
    ],
)
def test_anything_but_one_select_on_events_is_refused(server: WebServer, sql: str) -> None:
    answer = ask(server, sql)
    assert answer.status_code in (400, 403), answer.text
    assert answer.json()["error"]["message"]


def test_a_query_without_end_is_stopped_at_its_time(server: WebServer) -> None:
    sql = " CROSS JOIN ".join(f"events e{number}" for number in range(30))
    answer = ask(server, f"SELECT count(*) FROM {sql} WHERE e0.type || e29.type <> e15.type || e7.id", timeout_ms=300)
    assert answer.status_code == 408, answer.text
    assert server.client.get("/v1/events").status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b'{"sql": 1}', 400),
        (b'{"sql": "SELECT 1", "more": 1}', 400),
        (b'{"sql": "SELECT 1", "limit": 0}', 400),
        (b'{"sql": "SELECT 1", "limit": 1000000000000}', 400),
        (b'{"sql": "SELECT 1", "timeout_ms": 0}', 400),
        (b'{"sql": "SELECT 1", "timeout_ms": 100000000}', 400),
        (b"[" * 100_000, 400),
        (b'{"sql": "' + b"x" * (1024 * 1024) + b'"}', 413),
        (b'{"sql": "\xff"}', 400),
    ],
)
def test_a_body_that_is_no_question_is_refused(server: WebServer, body: bytes, status: int) -> None:
    answer = server.client.post("/v1/query", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    assert set(answer.json()["error"]) == {"code", "message", "hint", "request_id"}


def test_a_body_that_is_no_json_is_unsupported(server: WebServer) -> None:
    answer = server.client.post("/v1/query", content=b"SELECT 1", headers={"content-type": "text/plain"})
    assert answer.status_code == 415


def test_a_report_answers_with_what_it_was_asked_and_not_with_what_it_worked_out(server: WebServer) -> None:
    told = server.client.get("/v1/reports/unknown-types?since=7d&limit=5").json()["parameters"]
    assert told["limit"] == 5 and told["since"] and "known" not in told
    assert server.client.get("/v1/reports/adoption").json()["parameters"]["before"]


def test_reports_are_listed_and_run(server: WebServer) -> None:
    reports = server.client.get("/v1/reports").json()["reports"]
    assert reports
    for report in reports:
        answer = server.client.get(f"/v1/reports/{report['name']}")
        assert answer.status_code == 200, (report["name"], answer.text)
        assert set(answer.json()) == {"columns", "rows", "truncated", "total", "parameters"}
    name = reports[0]["name"]
    assert (
        server.client.get(f"/v1/reports/{name}", params={"format": "csv"})
        .headers["content-type"]
        .startswith("text/csv")
    )
    assert server.client.get(f"/v1/reports/{name}", params={"no_such": "1"}).status_code == 400
