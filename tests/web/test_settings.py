"""Keys, users and groups over HTTP; every change is an event that names who made it."""

from __future__ import annotations

from typing import Any

from support.web import WebServer


def test_a_key_is_shown_once_and_ends_when_it_is_revoked(server: WebServer) -> None:
    made = server.client.post("/v1/keys", json={"name": "etl", "scopes": ["read"], "nodes": ["n1"]})
    assert made.status_code == 201
    key = made.json()
    with server.as_caller(key["secret"]) as client:
        assert client.get("/v1/events").status_code == 200
        listed = {one["name"]: one for one in server.client.get("/v1/keys").json()["keys"]}
        assert "secret" not in listed["etl"]
        assert listed["etl"]["nodes"] == ["n1"]
        assert server.client.delete(f"/v1/keys/{key['id']}").json()["revoked_at"]
        assert client.get("/v1/events").status_code == 401
    assert key["id"] in {one["id"] for one in server.client.get("/v1/keys?revoked=true").json()["keys"]}
    made_events = server.recorded("key-created")
    assert any(key["id"] in one["entities"] for one in made_events)
    assert all(key["secret"] not in str(one) for one in made_events)


def test_a_key_for_a_user_whom_nobody_knows_is_made_with_a_warning(server: WebServer) -> None:
    made = [
        server.client.post("/v1/keys", json={"name": f"k-{user}", "scopes": ["write"], "user": user}).json()
        for user in ("erika", "erikka", None)
    ]
    assert [one["user"] for one in made] == ["erika", "erikka", None]
    assert [bool(one["warning"]) for one in made] == [False, True, False]
    assert "'erikka'" in made[1]["warning"]


def test_a_key_of_a_taken_name_or_an_unknown_scope_is_refused(server: WebServer) -> None:
    server.client.post("/v1/keys", json={"name": "taken", "scopes": ["read"]})
    assert server.client.post("/v1/keys", json={"name": "taken", "scopes": ["read"]}).status_code == 409
    assert server.client.post("/v1/keys", json={"name": "x", "scopes": ["root"]}).status_code == 400
    assert server.client.post("/v1/keys", json={"name": "x"}).status_code == 400
    assert server.client.delete("/v1/keys/nobody").status_code == 404


def test_users_are_made_changed_and_deleted(server: WebServer) -> None:
    made = server.client.post("/v1/users", json={"login": "DOMAIN/mia", "first_name": "Mia", "email": "m@x.org"})
    assert made.status_code == 201, made.text
    path = "/v1/users/DOMAIN%2Fmia"
    changed = server.client.patch(path, json={"last_name": "Muster", "email": None}).json()
    assert (changed["first_name"], changed["last_name"], changed["email"]) == ("Mia", "Muster", None)
    assert server.client.get(path).json()["groups"] == []
    assert "DOMAIN/mia" in [one["login"] for one in server.client.get("/v1/users?text=muster").json()["users"]]
    refused = server.client.patch(path, json={"email": "notmail"})
    assert refused.status_code == 400 and "'notmail' is no mail address." in refused.json()["error"]["message"]
    assert server.client.post("/v1/users", json={"login": "x", "email": "x@"}).status_code == 400
    assert server.client.delete(path).status_code == 200
    assert server.client.get(path).status_code == 404
    assert any(one["user"] == "api:owner of the data folder" for one in server.recorded("user-changed"))


def test_groups_nest_and_filter_events(server: WebServer) -> None:
    def post(path: str, body: dict[str, Any]) -> Any:
        return server.client.post(path, json=body)

    assert post("/v1/groups", {"name": "Chemistry"}).status_code == 201
    assert post("/v1/groups", {"name": "Science", "description": "All of them"}).status_code == 201
    assert post("/v1/groups/Chemistry/members", {"user": "erika"}).status_code == 200
    assert post("/v1/groups/Science/members", {"group": "Chemistry"}).status_code == 200
    assert post("/v1/groups/Chemistry/members", {"group": "Science"}).status_code == 400
    assert server.client.get("/v1/groups/Science").json()["logins"] == ["erika"]
    found = server.client.get("/v1/events", params={"group": "Science", "type": "query-*"}).json()["events"]
    assert [one["user"] for one in found] == ["erika"]
    server.client.patch("/v1/groups/Science", json={"description": "Everyone"})
    assert server.client.get("/v1/groups/Science").json()["description"] == "Everyone"
    assert server.client.delete("/v1/groups/Chemistry/members", params={"user": "erika"}).json()["members"] == []
    assert server.client.get("/v1/events", params={"group": "Science"}).json()["events"] == []
    assert server.client.delete("/v1/groups/Science").status_code == 200
    assert server.client.get("/v1/groups").json()["groups"][0]["name"] == "Chemistry"
