"""Every route for every role, from the table of routes: who may ask it, and that nobody sees more than they may."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import pytest

from support.reading import event
from support.web import WebServer
from whodid import reports
from whodid.directory.sign_in import COOKIE
from whodid.web.routes import ROUTES, Route

# The names of what readers may not see, which they may ask for by name all the same; and what only those events tell.
SECRET: Final = "hidden-from-readers"
DETAIL: Final = "told-by-hidden-events"

# For each rule who may: the status is then any but 401 and 403. Whoever is not named gets 403, strangers 401.
ALLOWED: Final = {
    "public": {"stranger", "nobody", "reader", "writer", "auditor", "admin"},
    "known": {"nobody", "reader", "writer", "auditor", "admin"},
    "read": {"auditor", "admin"},
    "write": {"writer", "admin"},
    "admin": {"admin"},
    "scim": {"admin"},
}
ROLES: Final = ("stranger", "nobody", "reader", "writer", "auditor", "admin")

# These say by themselves whom they refuse: a wrong password or token, a key instead of a sign-in, an unknown link, a
# connection that is for others.
SAY_THEMSELVES: Final = {
    *("/sign-in", "/sign-out", "/password", "/sign-in/oidc/callback", "/account/password", "/v1/pane-tokens"),
    *("/account/sign-ins/{id}/end", "/v1/connections/{name}", "/v1/connections/{name}/files"),
}


@pytest.fixture(scope="module")
def browsers(server: WebServer) -> Iterator[dict[str, httpx.Client]]:
    """A browser for each role; the reader sees the project CHEM, the query q-1 and what it did itself."""
    directory, now = server.engine.directory, datetime.now(UTC)
    clients = {"stranger": httpx.Client(base_url=server.url)}
    for role in ROLES[1:]:
        login = f"{role}-person"
        directory.create_user(login, by="test")
        if role == "reader":
            directory.create_group("Chemists", by="test")
            directory.add_member("Chemists", user=login, by="test")
            directory.grant("reader", group="Chemists", projects=["CHEM"], entities=["query:q-1"], by="test")
        elif role != "nobody":
            directory.grant(role, user=login, by="test")
        _, secret = directory.open_browser(login, way="password")
        headers = {"origin": server.url}
        clients[role] = httpx.Client(base_url=server.url, cookies={COOKIE: secret}, headers=headers, timeout=30)
    at = now - timedelta(minutes=2)
    server.store(
        [
            event("mine", at=at, user="reader-person"),
            event("for-me", at=at, user="robot", acting_for="reader-person"),
            event("query-run", at=at, user="otto", entities=[("query", "q-1", "Q")]),
            event("job-run", at=at, user="otto", entities=[("job", "j-1", "J"), ("query", "q-1", "Q")]),
            event("recipe-run", at=at, user="otto", parameters={"projectKey": "CHEM"}),
            event("secret", at=at, user=SECRET, description=DETAIL, function=DETAIL, error_message=DETAIL,
                  level="error", duration_ms=7.0, parameters={"projectKey": SECRET, "text": SECRET},
                  entities=[("query", SECRET, DETAIL)]),
            event("secret", at=at, user=DETAIL, duration_ms=7.0, entities=[("query", SECRET, DETAIL)]),
        ]
    )  # fmt: skip
    yield clients
    for client in clients.values():
        client.close()


@pytest.fixture(scope="module")
def secret_id(server: WebServer, browsers: dict[str, httpx.Client]) -> str:
    sql = "SELECT CAST(id AS varchar) AS id FROM events WHERE type = 'secret'"
    found = server.engine.store.query(sql, trusted=True).table
    return str(found.column("id")[0].as_py())


def address(route: Route, **names: str) -> str:
    return re.sub(r"{(\w+)}", lambda name: names.get(name[1], "x"), route.path)


def ask(client: httpx.Client, route: Route, path: str) -> int:
    if route.path == "/v1/events/stream":
        with client.stream("GET", path) as answer:
            return answer.status_code
    # Signing out is left to another test: the browsers here have to stay signed in.
    headers = {"origin": "https://elsewhere.example"} if route.path == "/sign-out" else {}
    return client.request(route.method, path, headers=headers).status_code


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_each_route_lets_in_whom_its_rule_names(
    server: WebServer, browsers: dict[str, httpx.Client], route: Route, role: str
) -> None:
    status = ask(browsers[role], route, address(route))
    may = role in ALLOWED[route.scope] or (role == "reader" and route.limited)
    if may:
        assert status not in (401, 403) or route.path in SAY_THEMSELVES
    elif role == "stranger":
        assert status == 401
    else:
        assert status == 403


def test_only_these_rules_there_are_and_limits_go_with_reading() -> None:
    assert {route.scope for route in ROUTES} <= ALLOWED.keys()
    assert {route.scope for route in ROUTES if route.limited or route.pane} == {"read"}
    assert all(route.limited for route in ROUTES if route.pane)
    assert not any(route.limited for route in ROUTES if route.path in ("/v1/query", "/v1/status", "/v1/rejects"))


@pytest.mark.parametrize(
    "route",
    [route for route in ROUTES if (route.limited or route.scope == "known") and route.method == "GET"],
    ids=lambda route: route.path,
)
def test_a_reader_sees_nothing_beyond_its_limits_at_any_route(
    server: WebServer, browsers: dict[str, httpx.Client], secret_id: str, route: Route
) -> None:
    names = {"id": secret_id if "{id}" in route.path and "entities" not in route.path else SECRET}
    names |= {"type": "query", "login": SECRET}
    path = address(route, **names)
    if route.path == "/v1/events/stream":
        seen: list[str] = []
        with browsers["reader"].stream("GET", path) as answer:
            assert answer.status_code == 200
            server.store(
                [
                    event("secret", user=SECRET, description=DETAIL),
                    event("mine", user="reader-person", description="own"),
                ]
            )
            for line in answer.iter_lines():
                seen.append(line)
                if "reader-person" in line:
                    break
        told = "\n".join(seen)
    else:
        answer = browsers["reader"].get(path, headers={"accept": "*/*"})
        told = answer.text if answer.status_code < 400 else ""
    assert DETAIL not in told


def types(client: httpx.Client, **given: str) -> set[str]:
    answer = client.get("/v1/events", params={"since": "10m", "limit": "1000", **given})
    assert answer.status_code == 200, answer.text
    return {row["type"] for row in answer.json()["events"]}


def test_a_reader_sees_its_projects_its_entities_in_any_role_and_itself(browsers: dict[str, httpx.Client]) -> None:
    seen = types(browsers["reader"])
    assert {"mine", "for-me", "query-run", "job-run", "recipe-run"} <= seen
    own = {"mine", "for-me", "audit-read", "audit-exported", "access-refused"}
    assert seen <= {"query-run", "job-run", "recipe-run", *own}
    assert "secret" in types(browsers["auditor"], type="secret")


@pytest.mark.parametrize(
    "given",
    [{"user": SECRET}, {"entity": f"query:{SECRET}"}, {"text": SECRET}, {"project": SECRET}, {"type": "secret"}],
)
def test_no_filter_widens_what_a_reader_sees(browsers: dict[str, httpx.Client], given: dict[str, str]) -> None:
    assert types(browsers["auditor"], **given) >= {"secret"}
    assert "secret" not in types(browsers["reader"], **given)


@pytest.mark.parametrize("form", ["ndjson", "csv", "parquet", "arrow"])
def test_exports_keep_the_limits_too(browsers: dict[str, httpx.Client], form: str) -> None:
    given = {"since": "10m", "limit": "50000", "format": form}
    assert DETAIL.encode() not in browsers["reader"].get("/v1/events", params=given).content
    if form in ("ndjson", "csv"):
        assert DETAIL.encode() in browsers["auditor"].get("/v1/events", params=given).content


@pytest.mark.parametrize("report", reports.catalogue(), ids=lambda report: report.name)
def test_a_report_is_made_of_what_the_reader_sees_or_not_at_all(
    browsers: dict[str, httpx.Client], report: reports.Report
) -> None:

    answer = browsers["reader"].get(f"/v1/reports/{report.name}")
    assert answer.status_code in (200, 400, 403), answer.text
    assert DETAIL not in answer.text
    assert browsers["auditor"].get(f"/v1/reports/{report.name}").status_code != 403


def test_the_same_report_tells_an_auditor_what_it_keeps_from_a_reader(browsers: dict[str, httpx.Client]) -> None:
    seen = {role: browsers[role].get("/v1/reports/users").text for role in ("reader", "auditor")}
    assert DETAIL in seen["auditor"] and DETAIL not in seen["reader"]
    assert "otto" in seen["reader"]


def test_numbers_count_only_what_a_reader_sees(browsers: dict[str, httpx.Client]) -> None:
    mine = browsers["reader"].get("/v1/entities/query/q-1/usage").json()
    assert mine["numbers"]["events"] == 2
    hidden = browsers["reader"].get(f"/v1/entities/query/{SECRET}/usage").json()
    assert hidden["numbers"]["events"] == 0
    assert hidden["top_users"] == []


def test_an_event_that_a_reader_may_not_see_is_as_good_as_none(
    browsers: dict[str, httpx.Client], secret_id: str
) -> None:
    assert browsers["auditor"].get(f"/v1/events/{secret_id}").status_code == 200
    answer = browsers["reader"].get(f"/v1/events/{secret_id}")
    assert answer.status_code == 404
    missing = browsers["reader"].get("/v1/events/00000000-0000-7000-8000-000000000000")
    assert {**answer.json()["error"], "request_id": "", "message": ""} == {
        **missing.json()["error"], "request_id": "", "message": "",
    }  # fmt: skip


def test_who_is_refused_leaves_an_event_once(server: WebServer) -> None:
    server.engine.directory.create_user("nosy", by="test")
    _, secret = server.engine.directory.open_browser("nosy", way="password")
    with httpx.Client(base_url=server.url, cookies={COOKIE: secret}) as client:
        for path in ("/v1/users?text=secret-words", "/v1/users", "/settings/keys"):
            assert client.get(path).status_code == 403
    refused = [row for row in server.recorded("access-refused") if row["user"] == "nosy"]
    told = [json.loads(row["parameters"]) for row in refused]
    assert [(one["method"], one["path"]) for one in told] == [("GET", "/v1/users"), ("GET", "/settings/keys")]
    assert told[0]["ip"] == "127.0.0.1" and told[0]["reason"].startswith("nosy may not")
    assert {(row["topic"], row["level"], row["status"]) for row in refused} == {("authfail", "audit", "denied")}
    found = server.client.get("/v1/reports/refusals", params={"users": "nosy"}).json()
    assert [(row["person"], row["type"], row["refusals"]) for row in found["rows"]] == [("nosy", "access-refused", 2)]


def test_strangers_leave_no_event(server: WebServer) -> None:
    server.engine.directory.create_key("closes the door", ["write"], by="test")
    before = len(server.recorded("access-refused"))
    assert httpx.get(f"{server.url}/v1/users").status_code == 401
    assert httpx.get(f"{server.url}/v1/users", headers={"authorization": "Bearer whodid_no"}).status_code == 401
    assert len(server.recorded("access-refused")) == before


def test_a_role_counts_as_soon_as_it_is_given_and_no_longer_than_it_is(server: WebServer) -> None:
    directory = server.engine.directory
    directory.create_user("late", by="test")
    _, secret = directory.open_browser("late", way="password")
    with httpx.Client(base_url=server.url, cookies={COOKIE: secret}) as client:
        assert client.get("/v1/events").status_code == 403
        grant = directory.grant("auditor", user="late", by="test")
        assert client.get("/v1/events").status_code == 200
        assert client.get("/v1/me").json()["roles"] == ["auditor"]
        directory.revoke_grant(grant.id, by="test")
        assert client.get("/v1/events").status_code == 403


def test_roles_are_given_over_http_and_each_change_is_an_event(server: WebServer) -> None:
    server.engine.directory.create_user("grantee", by="test")
    made = server.client.post("/v1/grants", json={"role": "reader", "user": "grantee", "projects": ["P"], "own": False})
    assert made.status_code == 201
    again = server.client.post(
        "/v1/grants", json={"role": "reader", "user": "grantee", "projects": ["P"], "own": False}
    )
    assert again.status_code == 409
    assert made.json() in server.client.get("/v1/grants").json()["grants"]
    assert server.client.delete(f"/v1/grants/{made.json()['id']}").status_code == 200
    assert server.client.delete(f"/v1/grants/{made.json()['id']}").status_code == 404
    granted, revoked = server.recorded("role-granted")[-1], server.recorded("role-revoked")[-1]
    assert json.loads(granted["parameters"])["after"]["projects"] == ["P"]
    assert json.loads(revoked["parameters"])["before"]["role"] == "reader"


@pytest.mark.parametrize(
    "body",
    [
        {"role": "king", "user": "grantee"},
        {"role": "reader"},
        {"role": "reader", "user": "grantee", "group": "Chemists"},
        {"role": "reader", "user": "grantee", "own": False},
        {"role": "auditor", "user": "grantee", "projects": ["P"]},
        {"role": "reader", "user": "grantee", "entities": ["no-colon"]},
        {"role": "reader", "user": "grantee", "projects": [""]},
    ],
)
def test_a_grant_that_makes_no_sense_is_refused(server: WebServer, body: dict[str, Any]) -> None:
    assert server.client.post("/v1/grants", json=body).status_code == 400


def test_a_grant_for_somebody_who_is_not_there_is_refused(server: WebServer) -> None:
    assert server.client.post("/v1/grants", json={"role": "admin", "user": "ghost"}).status_code == 404
    assert server.client.post("/v1/grants", json={"role": "admin", "group": "ghosts"}).status_code == 404


def test_a_readers_links_of_errors_lead_to_the_events_it_may_see(browsers: dict[str, httpx.Client]) -> None:
    errors = "00000000-0000-4000-8000-00000000000e"
    answer = browsers["reader"].get(f"/errors/{errors}?range=7d", headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/events?range=7d&error_hash={errors}")
    assert browsers["reader"].get("/errors/v1:0123", headers={"accept": "text/html"}).status_code == 404


@pytest.mark.parametrize("role", ["writer", "nobody"])
def test_whoever_is_refused_finds_account_and_sign_out(browsers: dict[str, httpx.Client], role: str) -> None:
    for address in ("/", "/settings", "/no-such-page"):
        answer = browsers[role].get(address, headers={"accept": "text/html"})
        assert answer.status_code in (403, 404)
        assert 'href="/account"' in answer.text
