"""Filters, pages, versions, and what is refused: in SCIM's own shape."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support.web import WebServer
from whodid.config import Config

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
PEOPLE = {
    "ada": {"title": "Analyst", "emails": [{"value": "ada@work.org", "type": "work"}], "active": True},
    "bob": {"title": "Lead", "emails": [{"value": "bob@home.org", "type": "home"}], "active": False},
    "cy": {"name": {"givenName": "Cy", "familyName": "Ångström"}, "nickName": 'the "quote"', "active": True},
}


@pytest.fixture(scope="module")
def users(provider: httpx.Client) -> Iterator[dict[str, dict[str, Any]]]:
    yield {login: provider.post("/Users", json={"userName": login, **told}).json() for login, told in PEOPLE.items()}


def refused(answer: httpx.Response, status: int, scim_type: str | None = None) -> str:
    body = answer.json()
    assert (answer.status_code, body["status"]) == (status, str(status)), answer.text
    assert body["schemas"] == [ERROR]
    assert body.get("scimType") == scim_type
    detail: str = body["detail"]
    assert detail
    return detail


@pytest.mark.parametrize(
    ("asked", "logins"),
    [
        ('userName eq "ADA"', "ada"),
        ('username EQ "ada"', "ada"),
        ('userName ne "ada"', "bob cy"),
        ('userName sw "a" or userName ew "y"', "ada cy"),
        ('title co "a"', "ada bob"),
        ("title pr", "ada bob"),
        ("not (title pr)", "cy"),
        ("not(title pr) and active eq true", "cy"),
        ("active eq false", "bob"),
        ('emails[type eq "work" and value ew "@work.org"]', "ada"),
        ('emails[type eq "work"] and active eq true', "ada"),
        ('emails.value eq "bob@home.org"', "bob"),
        ('emails eq "bob@home.org"', "bob"),
        ('name.familyName eq "ångström"', "cy"),
        ('nickName eq "the \\"quote\\""', "cy"),
        ('userName ge "b" and userName lt "c"', "bob"),
        ('meta.created gt "2020-01-01T00:00:00Z"', "ada bob cy"),
        ('meta.created lt "2020-01-01T00:00:00Z"', ""),
        ('meta.created sw "2"', "ada bob cy"),
        ('meta.created ew "z" and meta.created co "T"', "ada bob cy"),
        ('meta.created co "2020-01-01T00:00:00Z"', ""),
        ('urn:ietf:params:scim:schemas:core:2.0:User:userName eq "ada"', "ada"),
        ('urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "x"', ""),
        ('title eq "Lead" or (title eq "Analyst" and (active eq true))', "ada bob"),
        ('title eq null', "cy"),
    ],
)  # fmt: skip
def test_users_are_filtered(provider: httpx.Client, users: dict[str, Any], asked: str, logins: str) -> None:
    found = provider.get("/Users", params={"filter": asked}).json()
    assert [each["userName"] for each in found["Resources"]] == logins.split()
    assert found["totalResults"] == len(logins.split())


@pytest.mark.parametrize(
    "asked",
    [
        "userName", "userName eq", 'userName xx "a"', 'userName eq "a', "userName eq ada", '(userName eq "a"',
        'userName eq "a")', 'nothing eq "a"', 'emails[type eq "work"', 'emails[nothing eq "a"]', "not userName pr",
        'userName eq "a" and', "and", "§", "(" * 50 + "userName pr" + ")" * 50, " or ".join(["userName pr"] * 200),
        "userName pr " * 2_000, 'name[givenName eq "a"] x',
    ],
)  # fmt: skip
def test_filters_that_cannot_be_read_are_refused(provider: httpx.Client, asked: str) -> None:
    refused(provider.get("/Users", params={"filter": asked}), 400, "invalidFilter")


def test_pages_begin_at_one_and_say_how_many_there_are(provider: httpx.Client, users: dict[str, Any]) -> None:
    def page(**asked: Any) -> tuple[list[str], int, int, int]:
        told = provider.get("/Users", params=asked).json()
        logins = [each["userName"] for each in told["Resources"]]
        return logins, told["totalResults"], told["startIndex"], told["itemsPerPage"]

    assert page(startIndex=2, count=1) == (["bob"], 3, 2, 1)
    assert page(startIndex=0, count=2) == (["ada", "bob"], 3, 1, 2)
    assert page(count=0) == ([], 3, 1, 0)
    assert page(startIndex=9) == ([], 3, 9, 0)
    assert page(sortBy="userName", sortOrder="descending", count=2) == (["cy", "bob"], 3, 1, 2)
    assert page(sortBy="title") == (["ada", "bob", "cy"], 3, 1, 3)
    assert page(filter="title pr", startIndex=2) == (["bob"], 2, 2, 1)
    refused(provider.get("/Users", params={"sortBy": "nothing"}), 400, "invalidPath")
    refused(provider.get("/Users", params={"count": "x"}), 400, "invalidValue")
    refused(provider.get("/Users", params={"startIndex": "9" * 19}), 400, "invalidValue")


def test_addresses_are_those_that_others_reach_behind_a_proxy(
    server: WebServer, provider: httpx.Client, users: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(data=str(server.services.config.data), public_url="https://audit.example/")
    monkeypatch.setattr(server.services, "config", config)
    answer = provider.get(f"/Users/{users['ada']['id']}")
    assert answer.json()["meta"]["location"] == f"https://audit.example/scim/v2/Users/{users['ada']['id']}"


def test_only_what_is_asked_for_is_told(provider: httpx.Client, users: dict[str, Any]) -> None:
    path = f"/Users/{users['ada']['id']}"
    assert provider.get(path, params={"attributes": "userName,emails.value"}).json() == {
        "schemas": users["ada"]["schemas"],
        "id": users["ada"]["id"],
        "userName": "ada",
        "emails": [{"value": "ada@work.org"}],
    }
    assert "emails" not in provider.get(path, params={"excludedAttributes": "emails"}).json()
    both = provider.post(
        "/.search", json={"filter": 'userName eq "ada"', "attributes": ["userName"], "count": 1}
    ).json()
    assert [each["userName"] for each in both["Resources"]] == ["ada"]


def test_versions_keep_two_from_changing_the_same(provider: httpx.Client, users: dict[str, Any]) -> None:
    path, version = f"/Users/{users['cy']['id']}", users["cy"]["meta"]["version"]
    assert provider.get(path, headers={"if-none-match": version}).status_code == 304
    change = {"Operations": [{"op": "replace", "path": "nickName", "value": "C"}]}
    first = provider.patch(path, json=change, headers={"if-match": version})
    assert first.status_code == 200
    assert first.json()["meta"]["version"] != version
    refused(provider.patch(path, json=change, headers={"if-match": version}), 412)
    refused(provider.delete(path, headers={"if-match": version}), 412)
    back = {"Operations": [{"op": "replace", "path": "nickName", "value": 'the "quote"'}]}
    assert provider.patch(path, json=back, headers={"if-match": "*"}).json()["meta"]["version"] == version


@pytest.mark.parametrize(
    ("operation", "scim_type"),
    [
        ({"op": "remove"}, "noTarget"),
        ({"op": "remove", "path": 'members[value eq "00000000-0000-4000-8000-000000000000"]'}, "noTarget"),
        ({"op": "replace", "path": 'members[value eq "x"]', "value": {"value": "y"}}, "noTarget"),
        ({"op": "add", "path": "members", "value": [{"value": "00000000-0000-4000-8000-000000000000"}]},
         "invalidValue"),
        ({"op": "add", "path": "members", "value": [{"value": "x' OR 1=1"}]}, "invalidValue"),
        ({"op": "add", "path": "members", "value": 7}, "invalidValue"),
        ({"op": "replace", "path": "id", "value": "x"}, "mutability"),
        ({"op": "replace", "path": "meta.version", "value": "x"}, "mutability"),
        ({"op": "add", "path": "nothing", "value": "x"}, "invalidPath"),
        ({"op": "add", "path": "members[value eq", "value": "x"}, "invalidPath"),
        ({"op": "add", "path": 7, "value": "x"}, "invalidPath"),
        ({"op": "add", "path": "displayName"}, "invalidValue"),
        ({"op": "remove", "path": "displayName"}, "invalidValue"),
        ({"op": "replace", "path": "displayName", "value": ["x"]}, "invalidValue"),
        ({"op": "replace", "path": "displayName", "value": "x" * 201}, "invalidValue"),
        ({"op": "copy", "path": "displayName", "value": "x"}, "invalidSyntax"),
        ({"op": "replace", "value": "x"}, "invalidValue"),
        ("nonsense", "invalidSyntax"),
    ],
)  # fmt: skip
def test_patches_that_make_no_sense_change_nothing(provider: httpx.Client, operation: Any, scim_type: str) -> None:
    group = provider.post("/Groups", json={"displayName": f"Group {uuid.uuid4()}"}).json()
    path = f"/Groups/{group['id']}"
    first = {"op": "add", "path": "externalId", "value": "changed"}
    answer = provider.patch(path, json={"Operations": [first, operation]})
    refused(answer, 400, scim_type)
    assert provider.get(path).json() == group
    assert provider.delete(path).status_code == 204


def test_groups_cannot_lie_within_themselves(provider: httpx.Client) -> None:
    outer = provider.post("/Groups", json={"displayName": "Outer"}).json()
    inner = provider.post("/Groups", json={"displayName": "Inner"}).json()
    nest = {"Operations": [{"op": "add", "path": "members", "value": [{"value": inner["id"], "type": "Group"}]}]}
    nested = provider.patch(f"/Groups/{outer['id']}", json=nest)
    assert nested.json()["members"][0]["type"] == "Group"
    for holder, member in ((inner, outer), (outer, outer)):
        circle = {"Operations": [{"op": "add", "path": "members", "value": [{"value": member["id"]}]}]}
        assert "within" in refused(provider.patch(f"/Groups/{holder['id']}", json=circle), 400, "invalidValue")


def test_logins_and_names_are_taken_in_any_case(provider: httpx.Client, users: dict[str, Any]) -> None:
    refused(provider.post("/Users", json={"userName": "ADA"}), 409, "uniqueness")
    rename = {"Operations": [{"op": "replace", "path": "userName", "value": "Bob"}]}
    refused(provider.patch(f"/Users/{users['ada']['id']}", json=rename), 409, "uniqueness")
    provider.post("/Groups", json={"displayName": "Taken"})
    refused(provider.post("/Groups", json={"displayName": "tAKEN"}), 409, "uniqueness")


@pytest.mark.parametrize(
    "body",
    [
        {}, {"userName": ""}, {"userName": "  "}, {"userName": 7.5, "name": "x"}, {"userName": "x" * 201},
        {"userName": "a\0b"}, {"userName": "x", "active": "maybe"}, {"userName": "x", "emails": [[1]]},
        {"userName": "api:etl"},
        {"userName": "x", "emails": [{"value": "a", "primary": True}, {"value": "b", "primary": True}]},
    ],
    ids=str,
)  # fmt: skip
def test_users_that_make_no_sense_are_refused(provider: httpx.Client, body: dict[str, Any]) -> None:
    refused(provider.post("/Users", json=body), 400, "invalidValue")


def test_whatever_goes_wrong_is_told_in_one_shape(provider: httpx.Client, server: WebServer) -> None:
    refused(provider.post("/Users", content=b"{", headers={"content-type": "application/json"}), 400, "invalidSyntax")
    refused(provider.post("/Users", json=[]), 400, "invalidSyntax")
    refused(provider.post("/Users", content=b"[" * 5_000, headers={"content-type": "application/scim+json"}),
            400, "invalidSyntax")  # fmt: skip
    refused(provider.post("/Users", content=b"a=b", headers={"content-type": "text/plain"}), 415)
    refused(provider.post("/Users", content=b" " * 5_000_000, headers={"content-type": "application/json"}), 413)
    many = {"Operations": [{"op": "add", "path": "externalId", "value": "x"}] * 1_001}
    refused(provider.patch("/Groups/x", json=many), 404)
    refused(provider.get("/Users/x"), 404)
    refused(provider.get("/Users/00000000-0000-4000-8000-000000000000"), 404)
    refused(provider.get("/Nothing"), 404)
    refused(provider.get("/Schemas/nothing"), 404)
    stranger = httpx.get(f"{server.url}/scim/v2/Users", headers={"authorization": "Bearer nobody"})
    refused(stranger, 401)
    assert stranger.headers["www-authenticate"] == "Bearer"


def test_a_key_of_another_scope_may_not(server: WebServer) -> None:
    _, secret = server.engine.directory.create_key("reader", ["read", "write"], by="test")
    with server.as_caller(secret) as client:
        refused(client.get("/scim/v2/Users"), 403)
    _, secret = server.engine.directory.create_key("provisioner", ["scim"], by="test")
    with server.as_caller(secret) as client:
        assert client.get("/v1/users").status_code == 403
        assert client.get("/scim/v2/Users").status_code == 200
