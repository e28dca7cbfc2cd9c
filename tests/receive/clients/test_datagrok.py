"""Datagrok's own client, as it runs in Node, against the server."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.clients import ClientServer, example, run_node
from whodid.event import entity_uuid, new_id
from whodid.stack_trace import error_hash

NOW = datetime.now(UTC)
SESSION = "5e550000-0000-4000-8000-000000000001"

# What the Logger of the client makes of a message (its LogMessage.toJson).
MESSAGE: dict[str, Any] = {
    "level": "audit", "severity": None, "time": 1780000000123, "message": "Report opened", "auditType": "report-opened",
    "stackTrace": None, "flag": None, "params": {"report": 7}, "includeTime": False,
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def story(running: ClientServer) -> None:
    tell(running)


def tell(running: ClientServer) -> None:
    """Some days of one user's and one program's doing."""
    running.directory.create_user("ada", first_name="Ada", friendly_name="Ada Lovelace")
    running.directory.create_group("analysts", friendly_name="Analysts")
    events = [
        {"id": new_id(), "time": (NOW - timedelta(minutes=number)).isoformat(), "type": "query-start", "user": "ada",
         "session": SESSION, "description": f"Query {number} & more", "duration_ms": 12.5,
         "parameters": {"n": number, "text": "ü", "no": None},
         "entities": [{"type": "query", "id": "q-1", "name": "Sales", "role": "query"}]}
        for number in range(5)
    ]  # fmt: skip
    events += [
        {"id": new_id(), "time": (NOW - timedelta(days=30)).isoformat(), "type": "error", "level": "error",
         "error_message": "boom", "error_stack_trace": "#0 main (file.dart:1:2)"},
        {"id": new_id(), "time": (NOW - timedelta(days=40)).isoformat(), "type": "server-started", "source": "server"},
    ]  # fmt: skip
    assert running.http.post("/v1/events", json=events).json()["accepted"] == len(events)
    running.begin()


def get(server: ClientServer, path: str, *, key: str | None = None) -> httpx.Response:
    return httpx.get(f"{server.url}{path}", headers={"authorization": key or server.reading_key}, timeout=30)


def log(server: ClientServer, query: str = "") -> list[dict[str, Any]]:
    answer = get(server, f"/log?{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


def test_an_event_has_the_shape_that_the_client_reads(server: ClientServer) -> None:
    event = log(server, "limit=1&text=Query%25200%2520%2526")[0]
    assert event["#type"] == "LogEvent"
    assert (event["name"], event["description"]) == ("query-start", "Query 0 & more")
    assert datetime.fromisoformat(event["eventTime"]) == NOW
    assert event["session"]["id"] == SESSION
    assert event["session"]["started"] is not None
    assert event["session"]["user"]["login"] == "ada"
    assert event["session"]["user"]["friendlyName"] == "Ada Lovelace"
    assert event["eventType"] | {"id": ""} == {
        "#type": "LogEventType", "id": "", "name": "query-start", "friendlyName": "query-start", "source": "audit",
        "isError": False,
    }  # fmt: skip
    told = {each["parameter"]["name"]: each for each in event["parameters"]}
    assert {name: (each["value"], each["parameter"]["type"]) for name, each in told.items()} == {
        "n": ("0", "int"), "text": ("ü", "string"), "no": ("null", "json"), "duration_ms": ("12.5", "double"),
        "query": ("Sales", "entity_id"),
    }  # fmt: skip
    assert told["query"]["valueUuid"] == str(entity_uuid("query", "q-1"))


def test_events_are_found_by_entity_time_and_text_in_pages(server: ClientServer) -> None:
    entity = entity_uuid("query", "q-1")
    assert len(log(server, f"entityId={entity}")) == 5
    assert log(server, f"entityId={entity_uuid('query', 'q-2')}") == []
    pages = [log(server, f"entityId={entity}&limit=2&page={page}") for page in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [2, 2, 1, 0]
    numbers = [event["description"].split()[1] for page in pages for event in page]
    assert numbers == ["0", "1", "2", "3", "4"]
    oldest = log(server, f"entityId={entity}&limit=1&order=eventTime")
    assert oldest[0]["description"].startswith("Query 4")
    start, end = ((NOW - timedelta(minutes=minutes)).strftime("%Y-%m-%d+%H:%M:%S.%f") for minutes in (3.5, 1.5))
    assert len(log(server, f"entityId&start={start}&end={end}")) == 2
    (failed,) = (event for event in log(server, "text=file.dart") if event["name"] == "error")
    assert failed["description"] is None
    assert get(server, f"/log/count?entityId={entity}").json() == 5


def test_activity_is_of_seven_days_unless_told_otherwise(server: ClientServer) -> None:
    ada = server.directory.user("ada").id
    assert len(get(server, f"/log/activity/{ada}").json()) == 5
    assert len(get(server, f"/api/log/activity/ada?limit=2&start={NOW.year - 1}-01-01+00:00:00.000").json()) == 2
    assert get(server, "/log/activity/nobody").json() == []


def test_types_counts_and_single_events(server: ClientServer) -> None:
    types = {(each["name"], each["source"]) for each in get(server, "/log/types").json()}
    assert {("query-start", "audit"), ("error", "error"), ("server-started", "audit")} <= types
    assert isinstance(get(server, "/log/count").json(), int)
    (failed,) = (event for event in log(server, "text=boom") if event["name"] == "error")
    assert (failed["errorMessage"], failed["session"], failed["eventType"]["isError"]) == ("boom", None, True)
    assert get(server, f"/log/{failed['id']}").json() == failed
    assert get(server, f"/log/{new_id()}").status_code == 404
    assert get(server, "/log/no-uuid").status_code == 400


def test_users_and_groups(server: ClientServer) -> None:
    users = get(server, "/public/v1/users?text=lovelace&limit=3&page=1&order=-createdOn").json()
    assert [(each["#type"], each["login"], each["firstName"]) for each in users] == [("User", "ada", "Ada")]
    assert users[0]["group"]["id"] == server.directory.user("ada").group_id
    assert get(server, f"/public/v1/users/{users[0]['id']}").json() == users[0]
    assert get(server, "/api/users/count?text=lovelace").json() == 1
    assert get(server, "/public/v1/users/count").json() >= 1
    groups = get(server, "/public/v1/groups?text=analy").json()
    assert [(each["#type"], each["friendlyName"], each["personal"]) for each in groups] == [
        ("UserGroup", "Analysts", False)
    ]
    assert get(server, f"/public/v1/groups/{groups[0]['id']}").json() == groups[0]
    assert get(server, "/public/v1/groups/count").json() == 1
    assert get(server, "/public/v1/users/current").json()["login"] == "readers"


def test_reading_needs_the_right_to_read_and_is_audited(server: ClientServer) -> None:
    for path in ("/log", "/log/count", "/log/types", "/log/activity/ada", "/public/v1/users", "/api/groups"):
        assert get(server, path, key=server.key).status_code == 403
        assert get(server, path, key="wrong").status_code == 401
        assert httpx.get(f"{server.url}{path}").status_code == 401
    server.begin()
    log(server, "text=boom")
    (read,) = [event for event in server.stored("native") if event["type"] == "audit-read"]
    assert (read["user"], read["parameters"]["what"], read["parameters"]["filter"]["text"]) == (
        "readers",
        "log",
        "boom",
    )


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=x", "limit=10000&page=2", "order=color", "start=soon", "entityId=7",
     "start=2026-02-01&end=2026-01-01"],
)  # fmt: skip
def test_questions_that_make_no_sense_are_refused(server: ClientServer, query: str) -> None:
    answer = get(server, f"/log?{query}")
    assert answer.status_code == 400
    assert answer.json()["message"]


def put(server: ClientServer, body: Any, *, key: str | None = None) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.put(f"{server.url}/log/audit", content=content, headers={"authorization": key or server.key})


def test_messages_of_the_logger_become_events(server: ClientServer) -> None:
    person = server.new_key("of ada", "write", user="ada")
    script = {"#type": "Script", "id": "0196e7f0-0000-7000-8000-000000000009", "name": "fit", "friendlyName": "Fit"}
    trace = "Error: boom\n    at f (http://x/a.js:1:2)"
    messages = [
        MESSAGE,
        MESSAGE | {"level": "usage", "auditType": "usage", "params": {"script": script}},
        MESSAGE | {"level": "error", "auditType": None, "message": "boom", "stackTrace": trace, "flag": "f"},
        MESSAGE | {"auditType": "error", "message": "Error!", "params": {"stackTrace": trace}},
        MESSAGE | {"level": "debug", "auditType": None, "params": None},
    ]
    answer = put(server, messages, key=person)
    assert (answer.status_code, answer.json()) == (200, True)
    opened, used, failed, documented, debug = server.stored("datagrok")
    assert (opened["type"], opened["level"], opened["user"]) == ("report-opened", "audit", "ada")
    assert (opened["description"], opened["parameters"]) == ("Report opened", {"report": 7})
    assert opened["time"] == "2026-05-28T20:26:40.123000Z"
    assert used["entities"] == [{"type": "Script", "id": script["id"], "name": "Fit", "role": "script"}]
    assert used["parameters"]["script"] == script
    for error in (failed, documented):
        assert (error["type"], error["level"], error["error_stack_trace"]) == ("error", "error", trace)
        assert error["error_hash"] == error_hash(trace)
    assert (failed["error_message"], failed["parameters"]) == ("boom", {"report": 7, "flag": "f"})
    assert documented["error_message"] == "Error!"
    assert (debug["type"], debug["level"], debug["parameters"]) == ("log", "debug", {})


def test_what_is_read_can_be_written_again(server: ClientServer) -> None:
    event = log(server, "limit=1&text=Query%25201%2520")[0]
    changed = event | {"id": new_id(), "newer": {"field": 1}}
    assert put(server, changed).status_code == 200
    (written,) = server.stored("datagrok")
    assert (written["id"], written["type"], written["user"], written["session"]) == (
        changed["id"], "query-start", "ada", SESSION,
    )  # fmt: skip
    assert written["parameters"]["n"] == 1
    assert written["parameters"]["no"] is None
    assert written["parameters"]["newer"] == {"field": 1}
    assert written["entities"] == [{"type": "query", "id": str(entity_uuid("query", "q-1")), "name": "Sales"}]
    again = get(server, f"/log/{changed['id']}").json()
    assert again["eventTime"] == event["eventTime"]
    assert again["eventType"] == event["eventType"]


def test_a_source_that_is_no_level_stays_with_the_event(server: ClientServer) -> None:
    kind = {"name": "chem:dock", "source": "function-package"}
    assert put(server, {"#type": "LogEvent", "eventTime": NOW.isoformat(), "eventType": kind}).status_code == 200
    (ran,) = server.stored("datagrok")
    assert (ran["type"], ran["level"], ran["parameters"]) == ("chem:dock", "audit", {"source": "function-package"})


def test_odd_messages_lose_nothing_and_spoil_nothing(server: ClientServer) -> None:
    odd = [
        {"level": 5, "params": [1], "time": "late", "message": {"a": 1}},
        "text",
        {"eventType": 3, "parameters": [1]},
    ]
    assert put(server, odd).status_code == 200
    first, second = server.stored("datagrok")
    assert first["parameters"] == {"level": 5, "params": [1], "time": "late", "message": {"a": 1}}
    assert second["parameters"]["parameters"] == [1]
    for body in (b"", b"{", b"5", b"\xff"):
        assert put(server, body).status_code == 400
    assert put(server, MESSAGE, key="wrong").status_code == 401
    with server.busy():
        assert put(server, MESSAGE).status_code == 429


CLIENT = """
import { startDatagrok } from 'datagrok-api/datagrok'
const main = async () => {
  await startDatagrok({ apiUrl: root, detached: true })
  const { NodeApiClient, NodeDapi } = DG
  const client = await NodeApiClient.login(root, key)
  const dapi = new NodeDapi(client)
  await startDatagrok({ apiUrl: root, apiToken: client.token })
  const source = grok.dapi.log.where({ entityId }).include('session.user,eventType,parameters.parameter')
  const page = await source.by(2).page(2).order('eventTime', true).list()
  const event = page[0]
  const parameter = event.parameters[0]
  const found = await grok.dapi.log.find(event.id)
  await client.request('PUT', '/log/audit', message)
  let refused = null
  try { await new NodeApiClient(root, 'wrong').get('/log') } catch (error) { refused = error.apiError }
  const answer = {
    page: page.map((each) => each.description),
    login: event.session.user.login,
    type: event.eventType.name,
    parameter: [parameter.parameter.name, parameter.value],
    found: found.description,
    filtered: (await grok.dapi.log.filter('Query 3 & more').list()).map((each) => each.description),
    count: await grok.dapi.log.count(),
    activity: (await grok.dapi.log.activity.where({ userId }).list()).length,
    users: (await dapi.users.filter('lovelace').by(3).page(1).order('createdOn', true).list()).map((one) => one.login),
    usersCounted: await dapi.users.count(),
    user: (await dapi.users.find(userId)).friendlyName,
    groups: (await (root.endsWith('/api') ? grok.dapi : dapi).groups.filter('analysts').list())
      .map((each) => each.friendlyName),
    refused,
  }
  console.log(JSON.stringify(answer))
  process.exit(0)
}
main().catch((error) => { console.error(error); process.exit(1) })
"""


@pytest.mark.parametrize("root", ["", "/api"])
def test_the_client_itself(server: ClientServer, packages: Path, root: str) -> None:
    ada = server.directory.user("ada").id
    told = run_node(
        CLIENT, packages, bundled=True, root=f"{server.url}{root}", key=server.reading_key, userId=ada,
        entityId=str(entity_uuid("query", "q-1")), message=MESSAGE | {"message": f"From {root}"},
    )  # fmt: skip
    assert told["page"][:2] == ["Query 2 & more", "Query 3 & more"]
    assert (told["login"], told["type"], told["parameter"]) == ("ada", "query-start", ["n", "2"])
    assert told["found"] == "Query 2 & more"
    # Who asks for a text finds those who asked for it before.
    assert [each for each in told["filtered"] if each != "Read log."] == ["Query 3 & more"]
    assert told["count"] >= 7
    assert told["activity"] >= 5
    assert (told["users"], told["user"]) == (["ada"], "Ada Lovelace")
    assert told["usersCounted"] >= 1
    assert told["groups"] == ["Analysts"]
    assert told["refused"]["errorCode"] == 401
    assert told["refused"]["error"].startswith("This key is unknown")
    assert [event["description"] for event in server.stored("datagrok")] == [f"From {root}"]


@pytest.mark.postgresql
def test_the_same_is_read_from_postgresql(postgresql_url: str, tmp_path: Path) -> None:
    server = ClientServer(tmp_path / "data", store=postgresql_url)
    try:
        tell(server)
        server.begin()
        entity = entity_uuid("query", "q-1")
        found = log(server, f"entityId={entity}&limit=2&page=2&order=eventTime")
        assert [event["description"] for event in found] == ["Query 2 & more", "Query 1 & more"]
        assert found[0]["session"]["user"]["friendlyName"] == "Ada Lovelace"
        assert get(server, f"/log/{found[0]['id']}").json() == found[0]
        assert get(server, f"/log/count?entityId={entity}").json() == 5
        assert len(get(server, "/log/activity/ada").json()) == 5
        assert {"query-start", "error"} <= {each["name"] for each in get(server, "/log/types").json()}
        assert get(server, "/public/v1/users/count?text=lovelace").json() == 1
        ids = rows_of(postgresql_url, "SELECT id::text FROM event_types UNION SELECT id::text FROM event_parameters")
        told = {found[0]["eventType"]["id"], *(each["parameter"]["id"] for each in found[0]["parameters"])}
        names = {each["parameter"]["name"]: each["parameter"]["id"] for each in found[0]["parameters"]}
        assert told - {names["duration_ms"], names["no"]} <= ids
    finally:
        server.close()


def rows_of(url: str, sql: str) -> set[str]:
    import psycopg

    with psycopg.connect(url) as connection:
        return {str(row[0]) for row in connection.execute(sql.encode())}


def test_the_example_of_the_docs(server: ClientServer, packages: Path) -> None:
    script = example("datagrok").replace("YOUR_KEY", server.reading_key)
    script = script.replace("http://127.0.0.1:8400", server.url)
    told = run_node(script, packages, bundled=True)
    assert "query-start" in told
    (event,) = server.stored("datagrok")
    assert event["type"] == "report-opened"
