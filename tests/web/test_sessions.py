"""Sessions and things over HTTP, on both databases: every event joins its session, and through it user and groups."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from support.directories import DATABASES
from support.reading import event
from support.web import WebServer
from whodid.event import foreign_id

THING = "e0000000-0000-4000-8000-000000000001"


@pytest.fixture(scope="module", params=DATABASES)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    now = datetime.now(UTC).replace(microsecond=0)
    store = {}
    if request.param == "postgresql":
        store = {"store": request.getfixturevalue("postgresql_server").create_database()}
    running = WebServer(tmp_path_factory.mktemp("data"), **store)
    directory = running.engine.directory
    for login in ("ada", "bob"):
        directory.create_user(login)
    directory.create_group("analysts")
    directory.create_group("everyone")
    directory.add_member("analysts", user="ada")
    directory.add_member("everyone", subgroup="analysts")
    running.store(
        [
            event("query-start", at=now - timedelta(days=3), user="ada", session=foreign_id("old"),
                  entities=[("query", THING, "Draft")]),
            event("query-start", at=now - timedelta(minutes=9), session=foreign_id("live")),
            event("query-start", at=now - timedelta(minutes=8), user="ada", session=foreign_id("live"),
                  entities=[("query", THING, "Sales")]),
            event("navigate", at=now - timedelta(minutes=7), session=foreign_id("live")),
            event("job-run", at=now - timedelta(minutes=6), session=foreign_id("job-1"), source="server"),
            event("report-opened", at=now - timedelta(minutes=5), user="bob", session=foreign_id("bobs"),
                  entities=[("report", THING, "Sales")]),
            event("click", at=now + timedelta(days=2), user="bob"),
        ],
        orig_address="10.0.0.7",
    )  # fmt: skip
    yield running
    running.close()


def asked(server: WebServer, **params: Any) -> list[str]:
    answer = server.client.get("/v1/sessions", params=params)
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["sessions"]]


def test_sessions_are_listed_by_user_type_state_and_time(server: WebServer) -> None:
    old, live, job, bobs = (foreign_id(name) for name in ("old", "live", "job-1", "bobs"))
    assert asked(server, user="ada") == [live, old]
    assert asked(server, user="ada", open="true") == [live]
    assert asked(server, user="ada", open="false") == [old]
    assert asked(server, type="server") == [job]
    assert asked(server, anonymous="true") == [job]
    assert asked(server, since="1h", type="client") == [bobs, live]
    assert asked(server, until=(datetime.now(UTC) - timedelta(days=1)).isoformat()) == [old]
    first = server.client.get("/v1/sessions", params={"limit": 3, "type": "client"}).json()
    assert first["next_offset"] is None
    first = server.client.get("/v1/sessions", params={"limit": 2, "type": "client"}).json()
    assert first["next_offset"] == 2
    assert asked(server, limit=2, offset=2, type="client") == [old]


def test_a_session_is_told_with_its_user_and_end(server: WebServer) -> None:
    old = server.client.get("/v1/sessions/old").json()
    assert (old["user"], old["ended_by"], old["open"], old["ip"]) == ("ada", "idle", False, "10.0.0.7")
    assert old["ended"] == old["last_seen"]
    live = server.client.get(f"/v1/sessions/{foreign_id('live')}").json()
    assert (live["user"], live["open"], live["ended"]) == ("ada", True, None)


@pytest.mark.parametrize(
    ("params", "status"),
    [({"open": "maybe"}, 400), ({"since": "x"}, 400), ({"user": "nobody"}, 404), ({"limit": 0}, 400), ({"x": 1}, 400)],
    ids=str,
)
def test_senseless_questions_are_refused(server: WebServer, params: dict[str, Any], status: int) -> None:
    assert server.client.get("/v1/sessions", params=params).status_code == status
    assert server.client.get("/v1/sessions/nothing").status_code == 404


def test_an_administrator_ends_a_session_and_that_is_an_event(server: WebServer) -> None:
    ended = server.client.delete("/v1/sessions/bobs").json()
    assert (ended["open"], ended["ended_by"]) == (False, "api:owner of the data folder")
    assert server.client.delete("/v1/sessions/bobs").json() == ended
    (told,) = server.recorded("session-ended")
    assert (told["entity_id"], told["user"]) == (foreign_id("bobs"), "api:owner of the data folder")


def test_every_event_joins_its_session_and_through_it_user_and_groups(server: WebServer) -> None:
    with server.engine.directory.reading() as connection:
        sessions = {
            str(row.id).replace("-", ""): row.login
            for row in connection.execute(
                text("SELECT s.id, u.login FROM users_sessions s LEFT JOIN users u ON u.id = s.user_id")
            )
        }
    found = server.engine.store.query(
        "SELECT type, CAST(session AS varchar) AS session FROM events WHERE session IS NOT NULL", trusted=True
    ).table.to_pylist()
    assert len(found) >= 6
    users = [sessions[row["session"].replace("-", "")] for row in found if row["type"] == "navigate"]
    assert users == ["ada"]
    assert all(row["session"].replace("-", "") in sessions for row in found)
    of_group = server.client.get("/v1/events", params={"group": "everyone", "since": "30d"}).json()["events"]
    assert {row["user"] for row in of_group} == {"ada"}


@pytest.mark.postgresql
def test_in_postgresql_one_statement_walks_from_event_to_group(server: WebServer) -> None:
    if server.engine.store.kind != "postgresql":
        pytest.skip("events and directory lie in one database only in PostgreSQL")
    sql = """
        WITH RECURSIVE above(id) AS (
            SELECT group_id FROM users WHERE login = 'ada'
            UNION SELECT r.parent_id FROM groups_relations r JOIN above a ON r.child_id = a.id
        )
        SELECT g.name FROM above a JOIN groups g ON g.id = a.id WHERE NOT g.personal ORDER BY 1"""
    found = server.engine.store.query(sql, trusted=True).table.column("name").to_pylist()
    assert found == ["analysts", "everyone"]
    sql = """
        SELECT u.login, count(*) AS events FROM events e JOIN users_sessions s ON s.id = e.session_id
        JOIN users u ON u.id = s.user_id WHERE u.login = 'ada' GROUP BY 1"""
    assert server.engine.store.query(sql, trusted=True).table.to_pylist() == [{"login": "ada", "events": 4}]


def test_what_a_signed_in_browser_does_belongs_to_its_session(server: WebServer) -> None:
    directory = server.engine.directory
    browser, secret = directory.sign_in(directory.create_sign_in_token("ada", ["admin"]))
    directory.open_session("ada", id=browser.id)
    cookies = {"cookie": f"whodid_session={secret}"}
    assert server.stranger.get("/v1/events", params={"limit": 1}, headers=cookies).status_code == 200
    headers = {**cookies, "origin": server.url}
    made = server.stranger.post("/v1/groups", json={"name": "made in a session"}, headers=headers)
    assert made.status_code == 201, made.text
    (created,) = [row for row in server.recorded("group-created") if row["entity_name"] == "made in a session"]
    assert (str(created["session"]), created["user"]) == (browser.id, "ada")
    assert browser.id in {str(row["session"]) for row in server.recorded("audit-read")}
    assert server.client.delete(f"/v1/sessions/{browser.id}").json()["open"] is False
    assert server.stranger.get("/v1/events", headers=cookies).status_code == 401


def test_a_thing_is_told_with_all_its_names_and_types(server: WebServer) -> None:
    for kind in ("query", "report"):
        thing = server.client.get(f"/v1/entities/{kind}/{THING}").json()
        assert (thing["type"], thing["name"]) == ("report", "Sales")
        assert [each["name"] for each in thing["names"]] == ["Sales", "Draft"]
        assert [each["type"] for each in thing["types"]] == ["report", "query"]
        assert thing["names"][1]["first_seen"] == thing["types"][1]["first_seen"] == thing["first_seen"]
    assert server.client.get("/v1/entities/query/nothing").status_code == 404
    listed = server.client.get("/v1/entities", params={"type": "report", "text": "sal"}).json()["entities"]
    assert [each["id"] for each in listed] == [THING]


def test_an_old_event_shows_the_name_of_then_and_of_now(server: WebServer) -> None:
    events = server.client.get(f"/v1/entities/query/{THING}/activity").json()["events"]
    assert [(each["entity_name"], each["entity_name_now"]) for each in events] == [
        ("Sales", "Sales"),
        ("Draft", "Sales"),
    ]
    old = server.client.get(f"/v1/events/{events[1]['id']}").json()
    assert (old["entity_name"], old["entity_name_now"]) == ("Draft", "Sales")


def test_an_event_whose_clock_was_off_is_flagged_and_shows_both_times(server: WebServer) -> None:
    click = server.client.get("/v1/events", params={"type": "click"}).json()["events"][0]
    told = server.client.get(f"/v1/events/{click['id']}").json()
    assert told["clock_skew_s"] == pytest.approx(2 * 86_400, abs=1_800)
    assert told["time"] > told["received_at"]
    others = server.client.get("/v1/users/ada/activity", params={"since": "1d"}).json()["events"]
    assert {each["clock_skew_s"] for each in others} == {None}
