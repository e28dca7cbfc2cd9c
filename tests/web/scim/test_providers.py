"""Requests as Okta and Microsoft Entra ID send them, after their documentation, answered as they need it."""

from __future__ import annotations

import json
from typing import Any

import httpx

from support.directories import mentions
from support.web import WebServer

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def okta_user(login: str, **more: Any) -> dict[str, Any]:
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": login,
        "name": {"givenName": "Test", "familyName": "User"},
        "emails": [{"primary": True, "value": login, "type": "work"}],
        "displayName": "Test User",
        "locale": "en-US",
        "externalId": f"00u-{login}",
        "groups": [],
        "password": "1mz050nq",
        "active": True,
        **more,
    }


def entra_user(login: str) -> dict[str, Any]:
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
        "externalId": f"0a21f0f2-{login}",
        "userName": login,
        "active": True,
        "emails": [{"primary": True, "type": "work", "value": f"{login}.mail"}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "givenName familyName", "familyName": "familyName", "givenName": "givenName"},
        "roles": [],
        "title": "",
    }


def patch(provider: httpx.Client, path: str, *operations: dict[str, Any]) -> httpx.Response:
    return provider.patch(path, json={"schemas": [PATCH], "Operations": list(operations)})


def made(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 201, answer.text
    assert answer.headers["content-type"].startswith("application/scim+json")
    found: dict[str, Any] = answer.json()
    assert answer.headers["location"] == found["meta"]["location"]
    assert answer.headers["etag"] == found["meta"]["version"]
    return found


def test_okta_looks_for_a_user_makes_it_and_updates_its_profile(provider: httpx.Client, server: WebServer) -> None:
    login = "test.user@okta.local"
    asked: dict[str, str | int] = {"filter": f'userName eq "{login}"', "startIndex": 1, "count": 100}
    nobody = provider.get("/Users", params=asked).json()
    assert (nobody["totalResults"], nobody["Resources"], nobody["startIndex"]) == (0, [], 1)
    user = made(provider.post("/Users", json=okta_user(login)))
    assert "password" not in user
    found = provider.get("/Users", params=asked).json()
    assert (found["totalResults"], found["itemsPerPage"]) == (1, 1)
    assert found["Resources"][0] == user
    changed = okta_user(login, name={"givenName": "Another", "familyName": "User"}, id=user["id"])
    replaced = provider.put(f"/Users/{user['id']}", json=changed)
    assert replaced.status_code == 200
    assert replaced.json()["name"] == {"givenName": "Another", "familyName": "User"}
    kept = server.engine.directory.user(login)
    assert (kept.id, kept.first_name, kept.last_name) == (user["id"], "Another", "User")
    assert (kept.email, kept.friendly_name, kept.external_id) == (login, "Test User", f"00u-{login}")


def test_okta_deactivates_and_activates_by_a_value_without_path(provider: httpx.Client, server: WebServer) -> None:
    directory = server.engine.directory
    user = made(provider.post("/Users", json=okta_user("leaver@okta.local")))
    key, secret = directory.create_key("leaver's program", ["write"], user="leaver@okta.local", by="test")
    _, cookie = directory.sign_in(directory.create_sign_in_token("leaver@okta.local"))
    assert directory.verify_key(secret) is not None
    gone = patch(provider, f"/Users/{user['id']}", {"op": "replace", "value": {"active": False}})
    assert gone.json()["active"] is False
    assert directory.verify_key(secret) is None
    assert directory.browser_session(cookie) is None
    back = patch(provider, f"/Users/{user['id']}", {"op": "replace", "value": {"active": True}})
    assert back.json()["active"] is True
    assert directory.verify_key(secret) == key
    assert directory.browser_session(cookie) is None


def test_okta_pushes_a_group_and_its_members(provider: httpx.Client, server: WebServer) -> None:
    ids = [made(provider.post("/Users", json=okta_user(f"m{n}@okta.local")))["id"] for n in range(3)]
    body = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Okta group", "members": []}
    group = made(provider.post("/Groups", json=body))
    path = f"/Groups/{group['id']}"
    both = [{"value": each, "display": "whoever"} for each in ids[:2]]
    patch(provider, path, {"op": "add", "path": "members", "value": both})
    swapped = patch(
        provider,
        path,
        {"op": "remove", "path": f'members[value eq "{ids[0]}"]'},
        {"op": "add", "path": "members", "value": [{"value": ids[2], "display": "x"}]},
    )
    assert {member["value"] for member in swapped.json()["members"]} == {ids[1], ids[2]}
    renamed = patch(provider, path, {"op": "replace", "value": {"id": group["id"], "displayName": "Renamed"}})
    assert renamed.json()["displayName"] == "Renamed"
    replaced = patch(provider, path, {"op": "replace", "path": "members", "value": [{"value": ids[0]}]})
    assert [member["value"] for member in replaced.json()["members"]] == [ids[0]]
    assert server.engine.directory.group_logins("Renamed") == ["m0@okta.local"]
    assert [each["display"] for each in provider.get(f"/Users/{ids[0]}").json()["groups"]] == ["Renamed"]
    assert provider.delete(path).status_code == 204
    assert provider.get(path).status_code == 404


def test_entra_makes_a_user_and_patches_it_in_its_own_way(provider: httpx.Client, server: WebServer) -> None:
    user = made(provider.post("/Users", json=entra_user("entra@example.org")))
    path = f"/Users/{user['id']}"
    answer = patch(
        provider,
        path,
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "updated@example.org"},
        {"op": "Replace", "path": "name.familyName", "value": "updatedFamilyName"},
        {"op": "Add", "path": 'phoneNumbers[type eq "mobile"].value', "value": "+49 30 1234"},
        {"op": "Add", "path": f"{ENTERPRISE}:department", "value": "R&D"},
    )
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["emails"] == [{"primary": True, "type": "work", "value": "updated@example.org"}]
    assert found["name"]["familyName"] == "updatedFamilyName"
    assert found["phoneNumbers"] == [{"type": "mobile", "value": "+49 30 1234"}]
    assert found[ENTERPRISE] == {"department": "R&D"}
    assert ENTERPRISE in found["schemas"]
    assert server.engine.directory.user("entra@example.org").email == "updated@example.org"


def test_entra_sends_booleans_as_text_and_names_that_are_paths(provider: httpx.Client) -> None:
    user = made(provider.post("/Users", json=entra_user("dotted@example.org")))
    path = f"/Users/{user['id']}"
    off = patch(provider, path, {"op": "Replace", "path": "active", "value": "False"})
    assert off.json()["active"] is False
    dotted = {
        "active": "True",
        "displayName": "Ada",
        "name.givenName": "Ada",
        'emails[type eq "work"].value': "ada@example.org",
        f"{ENTERPRISE}:employeeNumber": "701984",
        ENTERPRISE: {"costCenter": "4130"},
        "unknownAttribute": "left out",
    }
    found = patch(provider, path, {"op": "Add", "value": dotted}).json()
    assert (found["active"], found["displayName"], found["name"]["givenName"]) == (True, "Ada", "Ada")
    assert found["emails"][0]["value"] == "ada@example.org"
    assert found[ENTERPRISE] == {"employeeNumber": "701984", "costCenter": "4130"}


def test_entra_takes_members_away_by_a_list(provider: httpx.Client) -> None:
    ids = [made(provider.post("/Users", json=entra_user(f"list{n}@example.org")))["id"] for n in range(3)]
    body = {"displayName": "Entra group", "externalId": "8aa1a0c0", "members": [{"value": each} for each in ids]}
    group = made(provider.post("/Groups", json=body))
    path = f"/Groups/{group['id']}"
    left = patch(provider, path, {"op": "Remove", "path": "members", "value": [{"value": ids[0]}, {"value": ids[2]}]})
    assert [member["value"] for member in left.json()["members"]] == [ids[1]]
    bare = provider.get("/Groups", params={"filter": 'displayName eq "entra GROUP"', "excludedAttributes": "members"})
    assert [each["id"] for each in bare.json()["Resources"]] == [group["id"]]
    assert "members" not in bare.json()["Resources"][0]
    asked = f'members[value eq "{ids[1]}"] and id eq "{group["id"]}"'
    assert provider.get("/Groups", params={"filter": asked}).json()["totalResults"] == 1
    asked = f'members[value eq "{ids[0]}"] and id eq "{group["id"]}"'
    assert provider.get("/Groups", params={"filter": asked}).json()["totalResults"] == 0
    everybody = patch(provider, path, {"op": "Remove", "path": "members"})
    assert "members" not in everybody.json()


def test_a_user_that_events_mention_is_taken_over_whatever_the_case(provider: httpx.Client, server: WebServer) -> None:
    server.engine.directory.observe(mentions(users=("grace@example.org",)))
    assert provider.get("/Users", params={"filter": 'userName eq "grace@example.org"'}).json()["totalResults"] == 0
    user = made(provider.post("/Users", json=okta_user("Grace@Example.org")))
    assert user["userName"] == "grace@example.org"
    assert user["id"] == server.engine.directory.user("grace@example.org").id


def test_a_renamed_user_keeps_its_id_groups_keys_and_past(provider: httpx.Client, server: WebServer) -> None:
    directory = server.engine.directory
    user = made(provider.post("/Users", json=okta_user("born@example.org")))
    group = made(provider.post("/Groups", json={"displayName": "Renamers", "members": [{"value": user["id"]}]}))
    key, _ = directory.create_key("born's", ["write"], user="born@example.org", by="test")
    directory.observe(mentions(sessions=(("before", "born@example.org"), ("ahead", "wed@example.org"))))
    path = f"/Users/{user['id']}"
    renamed = patch(provider, path, {"op": "replace", "path": "userName", "value": "wed@example.org"})
    assert renamed.status_code == 200, renamed.text
    assert (renamed.json()["id"], renamed.json()["userName"]) == (user["id"], "wed@example.org")
    assert directory.key(key.id).user == "wed@example.org"
    assert directory.group_logins(group["id"]) == ["born@example.org", "wed@example.org"]
    directory.observe(mentions(sessions=(("late", "born@example.org"),), minutes=5))
    assert len(directory.sessions(user="wed@example.org")) == 3
    assert [each.login for each in directory.users(text="born@")] == ["wed@example.org"]


def test_every_change_is_an_event_with_before_and_after(provider: httpx.Client, server: WebServer) -> None:
    user = made(provider.post("/Users", json=okta_user("told@example.org", title="Analyst")))
    patch(provider, f"/Users/{user['id']}", {"op": "replace", "path": "title", "value": "Lead"})
    patch(provider, f"/Users/{user['id']}", {"op": "replace", "path": "active", "value": False})
    patch(provider, f"/Users/{user['id']}", {"op": "replace", "path": "active", "value": False})
    group = made(provider.post("/Groups", json={"displayName": "Told", "members": [{"value": user["id"]}]}))
    assert provider.delete(f"/Users/{user['id']}").status_code == 204
    changes = [
        (json.loads(event["parameters"]), event["user"])
        for event in server.recorded("user-changed")
        if event["entity_id"] == user["id"]
    ]
    assert [by for _, by in changes] == ["api:identity provider"] * 2
    assert changes[0][0]["before"]["attributes"]["title"] == "Analyst"
    assert changes[0][0]["after"]["attributes"]["title"] == "Lead"
    assert (changes[1][0]["before"]["active"], changes[1][0]["after"]["active"]) == (True, False)
    joined = [json.loads(event["parameters"]) for event in server.recorded("group-changed")
              if event["entity_id"] == group["id"]]  # fmt: skip
    assert joined[0]["after"] == {"members": ["told@example.org"]}
    assert [event["entity_id"] for event in server.recorded("user-deleted")].count(user["id"]) == 1
