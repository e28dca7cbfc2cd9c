"""The pages of settings: lists, forms that say what is wrong, what is asked before something dangerous is done."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from support.web import WebServer
from whodid.directory.sign_in import COOKIE
from whodid.event import Rejection

NASTY = "<script>alert('x')</script>"


@pytest.fixture
def admin(server: WebServer) -> Iterator[httpx.Client]:
    """The browser of an administrator."""
    directory = server.engine.directory
    if not any(one.login == "root" for one in directory.users(text="root")):
        directory.create_user("root", by="test")
        directory.grant("admin", user="root", by="test")
    _, secret = directory.open_browser("root", way="password")
    headers = {"origin": server.url, "referer": f"{server.url}/settings"}
    with httpx.Client(base_url=server.url, cookies={COOKIE: secret}, headers=headers) as client:
        yield client


def posted(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    return client.post(path, data=fields)


def cookies(client: httpx.Client) -> str:
    return "; ".join(f"{name}={value}" for name, value in client.cookies.items())


def done(answer: httpx.Response) -> str:
    """Where a form that was taken leads to."""
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def test_a_user_is_added_changed_and_deleted_on_its_pages(admin: httpx.Client, server: WebServer) -> None:
    where = done(posted(admin, "/settings/add/users", login="ada", name="Ada", email="ada@example.org"))
    assert where.startswith("/settings/users/ada?done=ada+is+added")
    assert "ada is added" in admin.get(where).text
    refused = posted(admin, "/settings/users/ada", name="Ada L.", email="notmail")
    assert refused.status_code == 400 and "is no mail address." in refused.text
    done(posted(admin, "/settings/users/ada", name="Ada L.", first_name="Ada", email="ada@example.org"))
    assert server.engine.directory.user("ada").name == "Ada L."
    done(posted(admin, "/settings/users/ada/roles", role="reader", projects="CHEM\nBIO", own="1"))
    page = admin.get("/settings/users/ada").text
    assert "projects CHEM, BIO; what it did itself" in page
    grant = re.search(r"/settings/roles/([^/]+)/revoke", page)
    assert grant
    done(posted(admin, f"/settings/roles/{grant[1]}/revoke", back="/settings/users/ada"))
    server.engine.directory.create_key("of-ada", ["write"], user="ada", by="test")
    asked = admin.get("/settings/users/ada/delete").text
    assert "with 1 key, 0 roles, 0 memberships and 0 signed-in browsers" in asked
    done(posted(admin, "/settings/users/ada/delete"))
    assert admin.get("/settings/users/ada").status_code == 404


def test_what_is_wrong_stands_beside_its_field_and_what_was_written_stays(admin: httpx.Client) -> None:
    answer = posted(admin, "/settings/add/users", login="", name=NASTY)
    assert answer.status_code == 400
    assert 'id="f1-login-wrong">This is needed.' in answer.text
    assert "&lt;script&gt;" in answer.text and NASTY not in answer.text
    answer = posted(admin, "/settings/add/users", login="root")
    assert answer.status_code == 409 and "f1-login-wrong" in answer.text
    answer = posted(admin, "/settings/add/users", login="api:etl")
    assert (
        answer.status_code == 400 and 'id="f1-login-wrong">&#39;api:etl&#39; is the login of a program' in answer.text
    )


def test_a_password_link_is_shown_once_and_works(admin: httpx.Client, server: WebServer) -> None:
    server.engine.directory.create_user("grace", by="test")
    page = posted(admin, "/settings/users/grace/password-link")
    assert page.status_code == 200
    link = re.search(r"(/password\?token=[\w-]+)", page.text)
    assert link and server.stranger.get(link[1]).status_code == 200
    assert "token=" not in admin.get("/settings/users/grace").text


def test_a_user_is_deactivated_after_it_was_said_what_that_does(admin: httpx.Client, server: WebServer) -> None:
    directory = server.engine.directory
    directory.create_user("linus", by="test")
    directory.open_browser("linus", way="password")
    assert "signed out of 1 browser" in admin.get("/settings/users/linus/deactivate").text
    done(posted(admin, "/settings/users/linus/active", active="0"))
    assert not directory.user("linus").active
    done(posted(admin, "/settings/users/linus/active", active="1"))
    assert directory.user("linus").active


def test_a_group_gets_members_roles_and_goes_again(admin: httpx.Client, server: WebServer) -> None:
    directory = server.engine.directory
    directory.create_user("mary", by="test")
    done(posted(admin, "/settings/add/groups", name="Chemistry", description="All chemists"))
    done(posted(admin, "/settings/groups/Chemistry/members", user="mary", is_admin="1"))
    assert directory.group_logins("Chemistry") == ["mary"]
    page = admin.get("/settings/groups/Chemistry").text
    assert '<th scope="col">May</th>' in page and "look after the group</td>" in page
    directory.create_group("Physics", by="test")
    directory.add_member("Physics", user="mary", by="test")
    assert '<th scope="col">May</th>' not in admin.get("/settings/groups/Physics").text
    assert posted(admin, "/settings/groups/Chemistry/members", user="nobody-there").status_code == 404
    done(posted(admin, "/settings/groups/Chemistry/roles", role="auditor"))
    assert "1 member with 1 person stay, but lose 1 role" in admin.get("/settings/groups/Chemistry/delete").text
    done(posted(admin, "/settings/groups/Chemistry/remove", user="mary"))
    done(posted(admin, "/settings/groups/Chemistry/delete"))
    assert admin.get("/settings/groups/Chemistry").status_code == 404


def test_a_key_for_nobody_known_is_doubted(admin: httpx.Client) -> None:
    form = {"name": "slip", "scopes.read": "1", "user": "erikka"}
    assert "Nobody made a user &#39;erikka&#39;" in posted(admin, "/settings/add/keys", **form).text


def test_a_keys_secret_is_shown_once_and_it_counts_until_it_is_revoked(admin: httpx.Client, server: WebServer) -> None:
    fields = {"name": "loader", "scopes.write": "1", "scopes.read": "1", "topics": "generic\n", "user": "root"}
    answer = admin.post("/settings/add/keys", data=fields)
    assert answer.status_code == 201 and answer.headers["cache-control"] == "no-store"
    secret = re.search(r"Bearer ([\w-]+)", answer.text)
    assert secret
    assert server.as_caller(secret[1]).get("/v1/me").json()["scopes"] == ["read", "write"]
    page = admin.get("/settings/keys").text
    assert "loader" in page and secret[1] not in page
    key = server.engine.directory.key("loader")
    assert key.topics == ("generic",)
    assert "0 events of the last 7 days" in admin.get(f"/settings/keys/{key.id}/revoke").text
    done(posted(admin, f"/settings/keys/{key.id}/revoke"))
    assert server.engine.directory.key(key.id).revoked_at is not None


def test_a_key_says_what_it_is_bound_to(admin: httpx.Client, server: WebServer) -> None:
    form = {"name": "of-nodes", "scopes.write": "1", "topics": "generic", "node_type": "design"}
    made = posted(admin, "/settings/add/keys", **form)
    assert made.status_code == 201
    key = server.engine.directory.key("of-nodes")
    assert (key.topics, key.node_type) == (("generic",), "design")
    page = re.sub(r"<[^>]+>|\s+", " ", admin.get(f"/settings/keys/{key.id}").text)
    assert re.search(r"Only topics +generic", page) and re.search(r"Only type of node +design", page)


def test_a_key_for_an_identity_provider_is_made_and_may_nothing_else(admin: httpx.Client, server: WebServer) -> None:
    form = admin.get("/settings/add/keys").text
    assert "checked" not in form
    both = posted(admin, "/settings/add/keys", **{"name": "okta", "scopes.scim": "1", "scopes.write": "1"})
    assert both.status_code == 400 and "A key that has scim has no other scope." in both.text
    answer = server.client.post("/v1/keys", json={"name": "okta", "scopes": ["read", "scim"]})
    assert answer.status_code == 400 and answer.json()["error"]["hint"] == "Make two keys: one for scim alone."
    assert posted(admin, "/settings/add/keys", **{"name": "okta", "scopes.scim": "1"}).status_code == 201
    assert server.engine.directory.key("okta").scopes == ("scim",)


def test_links_of_other_sites_put_no_words_into_a_page(admin: httpx.Client) -> None:
    link = "/settings/users?done=Call+this+number"
    assert "Call this number" in admin.get(link).text
    for elsewhere in ("https://evil.example/", "https://[", ""):
        assert "Call this number" not in admin.get(link, headers={"referer": elsewhere}).text


def test_forms_of_other_sites_change_nothing(admin: httpx.Client, server: WebServer) -> None:
    answer = admin.post("/settings/add/users", data={"login": "eve"}, headers={"origin": "https://evil.example"})
    assert answer.status_code == 403
    assert "eve" not in [one.login for one in server.engine.directory.users()]


def test_every_part_of_the_settings_is_reached_from_the_first_page(admin: httpx.Client) -> None:
    page = admin.get("/settings").text
    for path in set(re.findall(r'href="(/settings/[a-z]+)"', page)):
        assert admin.get(path).status_code == 200, path


def test_the_status_says_in_plain_words_that_all_is_well_or_what_is_wrong(
    admin: httpx.Client, server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "All is well" in admin.get("/settings/status").text
    in_tokyo = admin.get("/settings/status", headers={"cookie": f"whodid_zone=Asia/Tokyo; {cookies(admin)}"}).text
    assert re.search(r"<dd[^>]*>[-0-9]+ [:0-9]+ Asia/Tokyo to [-0-9]+ [:0-9]+ Asia/Tokyo</dd>", in_tokyo)
    found = server.engine.writer.status()
    found.lag_seconds, found.lag_bytes = 95.0, 5_000_000
    monkeypatch.setattr(server.services.writer, "status", lambda: found)
    page = admin.get("/settings/status").text
    assert "What is wrong" in page and "The store is 1 min 35 s behind: 5 MB wait." in page


def test_what_was_rejected_is_told_with_its_time_and_says_where_it_is_cut(
    admin: httpx.Client, server: WebServer
) -> None:
    raw = "x" * 200
    server.store([], rejects=[Rejection(index=0, code="not_json", message="No JSON.", raw=raw, raw_size_bytes=200)])
    page = admin.get("/settings/status").text
    assert f">{'x' * 119}…<" in page and ">just now<" in page


def test_retention_says_in_numbers_what_would_go_before_it_is_set(admin: httpx.Client, server: WebServer) -> None:
    page = posted(admin, "/settings/retention", audit="30", debug="7")
    assert "audit: 1 event older than 30 days go." in page.text and "debug: 0 events older than 7 days go." in page.text
    assert server.engine.directory.setting("retention") is None
    done(posted(admin, "/settings/retention", audit="30", debug="7", confirmed="1"))
    assert server.engine.directory.setting("retention") == {"levels": {"audit": 30, "debug": 7}, "sessions": None}
    assert 'value="30"' in admin.get("/settings/retention").text
    assert 'id="f2-debug-wrong"' in posted(admin, "/settings/retention", debug="0").text
    done(posted(admin, "/settings/retention", confirmed="1"))
    assert server.engine.directory.setting("retention") is None


def test_accounts_and_those_that_only_events_mention_are_listed_apart(admin: httpx.Client) -> None:
    def listed(query: str) -> set[str]:
        return set(re.findall(r'<a href="/settings/users/([^"?/]+)"', admin.get(f"/settings/users{query}").text))

    assert "root" in listed("") and "erika" not in listed("")
    assert "erika" in listed("?seen=1") and "root" not in listed("?seen=1")
    assert listed("?text=erik") == {"erika"} and listed("?text=roo") == {"root"}


def test_whoever_has_a_role_is_listed_with_the_accounts(admin: httpx.Client, server: WebServer) -> None:
    grant = server.engine.directory.grant("auditor", user="erika", by="test")
    assert '"/settings/users/erika"' in admin.get("/settings/users").text
    assert '"/settings/users/erika"' not in admin.get("/settings/users?seen=1").text
    server.engine.directory.revoke_grant(grant.id, by="test")
    assert '"/settings/users/erika"' not in admin.get("/settings/users").text
