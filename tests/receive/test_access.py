"""Who may write: keys, browsers, and programs on the same machine."""

from __future__ import annotations

import base64
import contextlib
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.directories import mentions
from support.receiving import LOCAL_KEY, Receiver, event, wait_until
from whodid.directory import Directory
from whodid.directory.model import SCOPES
from whodid.directory.sign_in import COOKIE
from whodid.errors import WhodidError
from whodid.receive.access import Access


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def code_of(receiver: Receiver, **how: Any) -> str:
    """The error's code, or "ok"."""
    answer = receiver.post([event()], **how)
    return "ok" if answer.status == 200 else str(answer.json["error"]["code"])


def test_a_key_is_known_in_every_form_it_may_travel_in(receiver: Receiver) -> None:
    _, secret = receiver.directory.create_key("etl", ["write"])
    for form in (f"Bearer {secret}", f"bearer  {secret}", basic("etl", secret), basic(secret, "")):
        assert code_of(receiver, key=None, headers={"Authorization": form}) == "ok", form


@pytest.mark.parametrize("form", ["Bearer wrong", "Bearer ", "Basic !!!", basic("a", "b"), "Digest x", "x", ""])
def test_anything_else_is_unauthorized(receiver: Receiver, form: str) -> None:
    receiver.directory.create_key("etl", ["write"])
    answer = receiver.post([event()], key=None, headers={"Authorization": form})
    assert (answer.status, answer.json["error"]["code"]) == (401, "unauthorized")
    assert answer.json["error"]["hint"]
    assert answer.headers["www-authenticate"] == "Bearer"
    assert receiver.events() == []


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [(["write"], "ok"), (["admin"], "ok"), (["read", "write"], "ok"), (["read"], "forbidden")],
)
def test_writing_needs_the_scope(receiver: Receiver, scopes: list[str], expected: str) -> None:
    _, secret = receiver.directory.create_key("etl", scopes)
    assert code_of(receiver, key=secret) == expected


def test_the_owner_of_the_data_folder_is_admin(receiver: Receiver) -> None:
    caller = receiver.access.caller({"headers": [(b"authorization", f"Bearer {LOCAL_KEY}".encode())]})
    assert caller.scopes == frozenset(SCOPES)
    assert caller.key_id is None


def test_programs_on_the_same_machine_need_no_key_until_one_is_made(receiver: Receiver) -> None:
    assert code_of(receiver, key=None) == "ok"
    receiver.directory.observe(mentions(users=("ada",)))
    assert code_of(receiver, key=None) == "ok"
    receiver.directory.create_key("first", ["write"])
    assert code_of(receiver, key=None) == "unauthorized"
    receiver.directory.revoke_key("first")
    assert code_of(receiver, key=None) == "unauthorized"


def test_the_first_user_ends_access_without_a_key_as_well(receiver: Receiver) -> None:
    receiver.directory.create_user("ada")
    assert code_of(receiver, key=None) == "unauthorized"


def test_without_a_key_nobody_administers(receiver: Receiver) -> None:
    scope = {"headers": [], "client": ("127.0.0.1", 1)}
    assert receiver.access.caller(scope).scopes == {"write", "read"}
    with pytest.raises(WhodidError) as caught:
        receiver.access.require(scope, "admin")
    assert caught.value.code == "forbidden"


@pytest.mark.parametrize(
    ("loopback", "client", "allowed"),
    [
        (True, "127.0.0.1", True),
        (True, "127.8.8.8", True),
        (True, "::1", True),
        (True, "::ffff:127.0.0.1", True),
        (True, "10.0.0.1", False),
        (True, "localhost", False),
        (False, "127.0.0.1", False),
    ],
)
def test_only_a_loopback_server_lets_loopback_in(tmp_path: Path, loopback: bool, client: str, allowed: bool) -> None:
    directory = Directory.open(f"sqlite:///{tmp_path}/settings.db")
    access = Access(directory, loopback=loopback)
    scope = {"headers": [(b"host", b"localhost:8400")], "client": (client, 1)}
    if allowed:
        assert access.caller(scope).name
    else:
        with pytest.raises(WhodidError, match="needs a key"):
            access.caller(scope)
    directory.close()


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_what_a_proxy_passes_on_is_not_local(receiver: Receiver, name: str) -> None:
    assert code_of(receiver, key=None, headers={name: "1.2.3.4"}) == "unauthorized"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost:1", "ok"),
        ("app.localhost", "ok"),
        ("[::1]:8400", "ok"),
        ("127.0.0.1", "ok"),
        ("evil.example:8400", "forbidden"),
        ("127.0.0.1.evil.example", "forbidden"),
        ("localhost.evil.example", "forbidden"),
        ("[::2]:8400", "forbidden"),
    ],
)
def test_a_foreign_name_for_this_machine_is_refused_without_a_key(receiver: Receiver, host: str, expected: str) -> None:
    assert code_of(receiver, key=None, headers={"Host": host}) == expected
    assert code_of(receiver, headers={"Host": host}) == "ok"


def test_a_name_may_be_allowed(receiver: Receiver) -> None:
    receiver.directory.change_setting("access.allowed_hosts", ["audit.internal"])
    assert code_of(receiver, key=None, headers={"Host": "audit.internal:80"}) == "ok"


def test_pages_of_other_sites_are_refused_even_with_a_key(receiver: Receiver) -> None:
    for origin in ("https://evil.example", "null", f"http://{receiver.own}.evil.example", "http://127.0.0.1:1"):
        assert code_of(receiver, headers={"Origin": origin}) == "forbidden", origin
    assert code_of(receiver, headers={"Origin": f"http://{receiver.own}"}) == "ok"
    assert receiver.post(b"", method="OPTIONS", headers={"Origin": "https://evil.example"}).status == 403


def test_pages_of_allowed_sites_may_send_and_may_ask_before(receiver: Receiver) -> None:
    receiver.directory.change_setting("access.allowed_origins", ["https://app.example/"])
    asked = receiver.post(
        b"",
        method="OPTIONS",
        key=None,
        headers={"Origin": "https://app.example", "Access-Control-Request-Method": "POST"},
    )
    assert asked.status == 204
    assert asked.headers["access-control-allow-origin"] == "https://app.example"
    assert "authorization" in asked.headers["access-control-allow-headers"]
    answer = receiver.post([event()], headers={"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"})
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "https://app.example")
    failed = receiver.post(b"{", headers={"Origin": "https://app.example"})
    assert (failed.status, failed.headers["access-control-allow-origin"]) == (400, "https://app.example")
    assert code_of(receiver, headers={"Origin": "https://app.example.evil"}) == "forbidden"


def test_what_a_foreign_page_embeds_is_refused(receiver: Receiver) -> None:
    for site in ("cross-site", "same-site"):
        assert code_of(receiver, key=None, headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}) == "forbidden"
    assert code_of(receiver, key=None, headers={"Sec-Fetch-Site": "same-origin"}) == "ok"
    assert code_of(receiver, key=None, headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}) == "ok"


def test_a_signed_in_browser_is_known_by_its_cookie_until_it_signs_out(receiver: Receiver) -> None:
    receiver.directory.create_user("ada")
    session, secret = receiver.directory.sign_in(receiver.directory.create_sign_in_token("ada", ["read"]))
    scope = {"headers": [(b"cookie", f"a=b; {COOKIE}={secret}; c=d".encode())], "client": ("127.0.0.1", 1)}
    caller = receiver.access.caller(scope)
    assert (caller.user, caller.scopes, caller.session_id) == ("ada", frozenset(["read"]), session.id)
    foreign = {**scope, "headers": [*scope["headers"], (b"host", b"evil.example")]}
    with pytest.raises(WhodidError, match="not called"):
        receiver.access.caller(foreign)
    receiver.directory.sign_out(session.id)
    with pytest.raises(WhodidError, match="needs a key"):
        receiver.access.caller(scope)


def test_the_id_of_a_session_is_no_key(receiver: Receiver) -> None:
    """Its events carry it, for everybody who may read them."""
    receiver.directory.create_user("ada")
    session, secret = receiver.directory.sign_in(receiver.directory.create_sign_in_token("ada", ["admin"]))
    receiver.access.caller({"headers": [(b"cookie", f"{COOKIE}={secret}".encode())], "client": ("127.0.0.1", 1)})
    for form in (session.id, f"Bearer {session.id}", basic(session.id, "")):
        assert code_of(receiver, key=None, headers={"Authorization": form}) == "unauthorized", form


def test_a_key_revoked_by_another_process_is_refused_within_a_second(receiver: Receiver) -> None:
    _, secret = receiver.directory.create_key("etl", ["write"])
    assert code_of(receiver, key=secret) == "ok"
    elsewhere = Directory.open(f"sqlite:///{receiver.folder}/settings.db")
    elsewhere.revoke_key("etl")
    elsewhere.close()
    wait_until(lambda: code_of(receiver, key=secret) == "unauthorized", timeout_s=1)


def test_an_expired_key_is_refused(receiver: Receiver) -> None:
    ends = datetime.now(UTC) + timedelta(milliseconds=400)
    _, secret = receiver.directory.create_key("etl", ["write"], expires_at=ends)
    assert code_of(receiver, key=secret) == "ok"
    wait_until(lambda: code_of(receiver, key=secret) == "unauthorized", timeout_s=5)


def test_use_of_a_key_is_noted_later_not_with_each_request(receiver: Receiver) -> None:
    key, secret = receiver.directory.create_key("etl", ["write"])
    code_of(receiver, key=secret)
    assert receiver.directory.used == {key.id}
    receiver.directory.note_used()
    assert receiver.directory.key(key.id).last_used_at is not None


def test_callers_are_found_in_memory(receiver: Receiver) -> None:
    _, secret = receiver.directory.create_key("etl", ["write"])
    scope = {"headers": [(b"host", b"x"), (b"authorization", f"Bearer {secret}".encode())]}
    receiver.access.caller(scope)
    fastest = min(_timed(receiver.access, scope) for _ in range(5))
    assert fastest < 10e-6


def _timed(access: Access, scope: dict[str, Any]) -> float:
    began = time.perf_counter()
    for _ in range(1_000):
        access.caller(scope)
    return (time.perf_counter() - began) / 1_000


def test_origins_and_names_are_allowed_when_the_server_starts(tmp_path: Path) -> None:
    directory = Directory.open(f"sqlite:///{tmp_path}/settings.db")
    access = Access(directory, loopback=True, origins="https://app.example/, https://b.example", hosts="Audit.local")
    assert [access.allows_origin(origin) for origin in (b"https://app.example", b"https://c.example")] == [True, False]
    directory.change_setting("access.allowed_origins", ["https://c.example"])
    assert access.origins() == ("https://app.example/", "https://b.example", "https://c.example")
    assert access.allows_origin(b"https://c.example")
    for host, refused in ((b"audit.local:8400", False), (b"other.local", True)):
        scope = {"client": ("127.0.0.1", 1), "headers": [(b"host", host)]}
        with pytest.raises(WhodidError, match="is not called") if refused else contextlib.nullcontext():
            access.caller(scope)
    directory.close()
