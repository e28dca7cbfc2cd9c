"""Signing in with a password or a link: what works, and everything that is tried against it."""

from __future__ import annotations

import json
import re
import statistics
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher

from support.web import WebServer
from whodid.directory import attempts, passwords, tables
from whodid.directory.sign_in import COOKIE

PASSWORD = "correct horse battery staple"
ANOTHER = "seven purple elephants dance"
HTML = {"accept": "text/html"}


@pytest.fixture(scope="module", autouse=True)
def quick_hashes() -> Iterator[None]:
    """Hashes that take milliseconds; how slow they are otherwise is argon2's business."""
    usual = passwords._hasher
    quick = PasswordHasher(time_cost=2, memory_cost=4096, parallelism=1)
    passwords._nobodys_hash.cache_clear()
    passwords._hasher = lambda: quick  # type: ignore[assignment]
    yield
    passwords._hasher = usual
    passwords._nobodys_hash.cache_clear()


@pytest.fixture(scope="module")
def server(quick_hashes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    running = WebServer(tmp_path_factory.mktemp("data"))
    running.engine.directory.create_user("ada", by="test")
    running.engine.directory.grant("auditor", user="ada", by="test")
    yield running
    running.close()


@pytest.fixture(autouse=True)
def fresh(server: WebServer) -> None:
    """Nobody failed yet, nobody is signed in, and the password is the first."""
    directory = server.engine.directory
    with directory.writing() as connection:
        connection.execute(tables.sign_in_attempts.delete())
    directory.set_password("ada", PASSWORD, by="test")


@pytest.fixture
def browser(server: WebServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={**HTML, "origin": server.url}, timeout=30) as client:
        yield client


def sign_in(browser: httpx.Client, login: str = "ada", password: str = PASSWORD, **more: str) -> httpx.Response:
    return browser.post("/sign-in", data={"login": login, "password": password, **more})


def told(row: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(row["parameters"]))


def test_a_password_signs_in_with_the_roles_of_the_user_until_signed_out(
    server: WebServer, browser: httpx.Client
) -> None:
    assert "<form" in browser.get("/sign-in").text
    answer = sign_in(browser, next="/account?x=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account?x=1")
    cookie = answer.headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=86400"):
        assert part in cookie
    assert "Secure" not in cookie
    assert browser.get("/v1/me").json()["roles"] == ["auditor"]
    assert browser.get("/v1/events").status_code == 200
    read = server.recorded("audit-read")[-1]
    session = server.engine.directory.browser_sessions()[0]
    assert server.engine.directory.session(session.id).user == "ada"
    assert str(read["session"]) == session.id
    out = browser.post("/sign-out", data={})
    assert (out.status_code, out.headers["location"]) == (303, "/sign-in")
    assert "Max-Age=0" in out.headers["set-cookie"]
    browser.cookies.set(COOKIE, cookie.partition(";")[0].partition("=")[2])
    assert browser.get("/v1/me").status_code == 401
    assert server.engine.directory.session(session.id).ended is not None
    begun, ended = server.recorded("user-logged-in")[-1], server.recorded("user-logged-out")[-1]
    assert (begun["user"], told(begun)["way"], str(begun["session"])) == ("ada", "password", session.id)
    assert (ended["user"], told(ended)["by"]) == ("ada", "sign-out")


def test_a_page_that_needs_a_sign_in_shows_the_form_and_leads_back(browser: httpx.Client) -> None:
    answer = browser.get("/account")
    assert answer.status_code == 401
    assert 'name="next" value="/account"' in answer.text


@pytest.mark.parametrize(
    "wanted",
    ["//evil.example", "https://evil.example/", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)",
     "/a\r\nset-cookie: x=y", "/\t/evil.example", "evil.example", "/sign-out", "/" + "a" * 3000, "/%0d%0a\u2028"],
)  # fmt: skip
def test_one_never_goes_on_to_another_site(browser: httpx.Client, wanted: str) -> None:
    answer = sign_in(browser, next=wanted)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
    assert "x=y" not in str(answer.headers)
    form = browser.get("/sign-in", params={"next": wanted}).text
    assert 'name="next" value="/"' in form


def test_what_is_wrong_is_refused_without_saying_which_and_told_without_secrets(
    server: WebServer, browser: httpx.Client
) -> None:
    wrong = sign_in(browser, password="not the password")
    unknown = sign_in(browser, login="my secret password", password="x")
    assert (wrong.status_code, unknown.status_code) == (401, 401)
    assert COOKIE not in browser.cookies
    reason = re.compile(r'role="alert"[^>]*>([^<]*)<')
    assert reason.findall(wrong.text) == reason.findall(unknown.text) != []
    failures = server.recorded("user-login-failed")[-2:]
    assert [row["user"] for row in failures] == ["ada", "somebody who is not known"]
    assert "not the password" not in json.dumps(failures, default=str)
    assert "my secret password" not in json.dumps(failures, default=str)


@pytest.mark.parametrize(
    ("login", "password"),
    [("", ""), ("ada", ""), ("ada", "x" * 5000), ("ada\0", PASSWORD), ("a" * 3000, "x"), ("ada'--", "' OR 1=1"),
     ("ada", "\ud7ff" * 20)],
)  # fmt: skip
def test_nonsense_is_refused_like_a_wrong_password(browser: httpx.Client, login: str, password: str) -> None:
    assert sign_in(browser, login=login, password=password).status_code == 401


def test_a_user_without_a_password_cannot_sign_in_with_one(server: WebServer, browser: httpx.Client) -> None:
    server.engine.directory.create_user("no-password", by="test")
    assert sign_in(browser, login="no-password", password="").status_code == 401
    server.engine.directory.remove_password("ada", by="test")
    assert sign_in(browser).status_code == 401


def test_a_deactivated_user_cannot_sign_in_and_is_signed_out(server: WebServer, browser: httpx.Client) -> None:
    sign_in(browser)
    assert browser.get("/v1/me").status_code == 200
    server.engine.directory.set_active("ada", False, by="test")
    try:
        assert browser.get("/v1/me").status_code == 401
        assert sign_in(browser).status_code == 401
        token = server.engine.directory.create_sign_in_token("ada", ())
        assert server.stranger.get("/sign-in", params={"token": token}).status_code == 403
    finally:
        server.engine.directory.set_active("ada", True, by="test")


def test_guessing_takes_ever_longer_for_an_account_from_wherever_it_comes(
    server: WebServer, browser: httpx.Client
) -> None:
    for _ in range(attempts.ACCOUNT.free):
        assert sign_in(browser, password="wrong").status_code == 401
    first = sign_in(browser, password="wrong")
    assert (first.status_code, first.headers["retry-after"]) == (429, "1")
    assert sign_in(browser).status_code == 429, "not even the right one"
    waits = []
    for _ in range(12):
        with server.engine.directory.writing() as connection:
            rows = connection.execute(tables.sign_in_attempts.select()).all()
            waits.append(max((row.next_at - row.last_at).total_seconds() for row in rows))
            past = {"next_at": rows[0].last_at - timedelta(seconds=1)}
            connection.execute(tables.sign_in_attempts.update().values(past))
        assert sign_in(browser, password="wrong").status_code == 401
    assert waits[:5] == [1, 2, 4, 8, 16]
    assert max(waits) == attempts.ACCOUNT.longest_s
    with server.engine.directory.writing() as connection:
        connection.execute(tables.sign_in_attempts.update().values({"next_at": tables.sign_in_attempts.c.last_at}))
    assert sign_in(browser).status_code == 303
    for _ in range(2):
        assert sign_in(browser, password="wrong").status_code == 401, "it begins from the start"


def test_trying_many_accounts_from_one_address_takes_ever_longer(browser: httpx.Client) -> None:
    answers = [sign_in(browser, login=f"guess-{n}", password="x").status_code for n in range(attempts.ADDRESS.free + 1)]
    assert answers == [401] * attempts.ADDRESS.free + [429]
    assert sign_in(browser).status_code == 429


@pytest.mark.parametrize(
    ("address", "network"),
    [("10.1.2.3", "10.1.2.3"), ("::ffff:10.1.2.3", "10.1.2.3"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
     ("2001:db8:1:2::9", "2001:db8:1:2::/64"), ("not an address", "not an address")],
)  # fmt: skip
def test_the_addresses_of_one_line_count_as_one(address: str, network: str) -> None:
    assert attempts.network_of(address) == network


def test_an_unknown_user_takes_as_long_as_a_wrong_password(server: WebServer) -> None:
    directory = server.engine.directory

    def took(login: str) -> float:
        with directory.writing() as connection:
            connection.execute(tables.sign_in_attempts.delete())
        began = time.perf_counter()
        with pytest.raises(Exception, match="do not fit"):
            directory.check_password(login, "wrong")
        return time.perf_counter() - began

    took("ghost")
    pairs = [(took("ada"), took("ghost")) for _ in range(5)]
    known, unknown = (statistics.median(pair[place] for pair in pairs) for place in (0, 1))
    assert 0.4 < known / unknown < 2.5


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example"}, {"origin": "null"}, {}, {"sec-fetch-site": "cross-site"},
     {"sec-fetch-site": "same-site"}, {"origin": "null", "sec-fetch-site": "cross-site"}],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/password", "/account/password", "/v1/sign-ins/x"])
def test_forms_of_other_sites_do_nothing(server: WebServer, path: str, headers: dict[str, str]) -> None:
    session, secret = server.engine.directory.open_browser("ada", way="password")
    with httpx.Client(base_url=server.url, cookies={COOKIE: secret}) as victim:
        method = "DELETE" if path.startswith("/v1") else "POST"
        answer = victim.request(method, path, headers=headers, data={"login": "ada", "password": PASSWORD})
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
    assert session.id in {one.id for one in server.engine.directory.browser_sessions()}


def test_a_cookie_does_not_count_for_a_page_of_an_allowed_site(server: WebServer) -> None:
    server.engine.directory.change_setting("access.allowed_origins", ["https://app.example"])
    _, secret = server.engine.directory.open_browser("ada", way="password")
    try:
        with httpx.Client(base_url=server.url, cookies={COOKIE: secret}) as victim:
            for method, path in (("GET", "/v1/events"), ("DELETE", "/v1/sign-ins/x"), ("POST", "/v1/query")):
                answer = victim.request(method, path, headers={"origin": "https://app.example"})
                assert answer.status_code == 403
                assert "access-control-allow-credentials" not in answer.headers
    finally:
        server.engine.directory.change_setting("access.allowed_origins", None)


def test_signing_in_makes_another_session_and_ends_the_one_before(server: WebServer, browser: httpx.Client) -> None:
    browser.cookies.set(COOKIE, "whodid_chosen-by-somebody-else")
    sign_in(browser)
    first = browser.cookies.get(COOKIE, domain="127.0.0.1") or list(browser.cookies.jar)[-1].value
    assert first != "whodid_chosen-by-somebody-else"
    browser.cookies.clear()
    browser.cookies.set(COOKIE, first or "")
    answer = sign_in(browser)
    second = answer.headers["set-cookie"].partition(";")[0].partition("=")[2]
    assert second != first
    assert server.engine.directory.browser_session(first or "") is None
    assert server.engine.directory.browser_session(second) is not None


def test_a_link_that_another_site_led_to_is_not_used_without_asking(server: WebServer) -> None:
    token = server.engine.directory.create_sign_in_token("ada", ())
    with httpx.Client(base_url=server.url, headers=HTML) as browser:
        asked = browser.get("/sign-in", params={"token": token}, headers={"sec-fetch-site": "cross-site"})
        assert asked.status_code == 200
        assert "ada" in asked.text
        assert "set-cookie" not in asked.headers
        assert browser.post("/sign-in", data={"token": token}).status_code == 403
        done = browser.post("/sign-in", data={"token": token, "next": "/account"}, headers={"origin": server.url})
        assert done.status_code == 200
        assert 'content="0;url=/account"' in done.text
        assert browser.get("/v1/me").json()["user"] == "ada"
        # Signed in already: another link could put somebody else in one's place.
        other = server.engine.directory.create_sign_in_token("ada", ())
        assert "set-cookie" not in browser.get("/sign-in", params={"token": other}).headers


def test_a_link_for_a_password_is_made_by_an_administrator_and_used_once(
    server: WebServer, browser: httpx.Client
) -> None:
    made = server.client.post("/v1/users/ada/password-link")
    assert made.status_code == 201
    link = made.json()["link"]
    token = link.partition("token=")[2]
    sign_in(browser)
    for _ in range(2):
        assert "ada" in browser.get(link).text, "looking at it does not use it up"
    assert browser.get("/sign-in", params={"token": token}).status_code in (200, 401)
    assert browser.get("/v1/me").json()["user"] == "ada"
    with httpx.Client(base_url=server.url, headers={**HTML, "origin": server.url}) as other:
        assert other.get("/sign-in", params={"token": token}).status_code == 401, "it is no link to sign in with"
        short = other.post("/password", data={"token": token, "new": "short", "again": "short"})
        assert short.status_code == 400
        unlike = other.post("/password", data={"token": token, "new": ANOTHER, "again": ANOTHER + "!"})
        assert unlike.status_code == 400
        done = other.post("/password", data={"token": token, "new": ANOTHER, "again": ANOTHER})
        assert (done.status_code, done.headers["location"]) == (303, "/sign-in")
        again = other.post("/password", data={"token": token, "new": PASSWORD, "again": PASSWORD})
        assert again.status_code == 401
        assert sign_in(other, password=ANOTHER).status_code == 303
    assert browser.get("/v1/me").status_code == 401, "whoever was signed in with the one before is signed out"
    table = server.engine.store.query("SELECT * FROM events", trusted=True).table
    assert token not in json.dumps(table.to_pylist(), default=str)
    assert ANOTHER not in json.dumps(table.to_pylist(), default=str)


def test_one_changes_ones_own_password_by_the_one_before(server: WebServer, browser: httpx.Client) -> None:
    sign_in(browser)
    with httpx.Client(base_url=server.url, headers={**HTML, "origin": server.url}) as other:
        sign_in(other)
        form = {"current": "wrong", "new": ANOTHER, "again": ANOTHER}
        assert browser.post("/account/password", data=form).status_code == 403
        assert browser.post("/account/password", data={**form, "current": PASSWORD, "again": "x"}).status_code == 400
        done = browser.post("/account/password", data={**form, "current": PASSWORD})
        assert (done.status_code, done.headers["location"]) == (303, "/account")
        assert browser.get("/v1/me").status_code == 200, "this browser stays"
        assert other.get("/v1/me").status_code == 401, "others are signed out"
    assert server.recorded("password-changed")[-1]["user"] == "ada"


@pytest.mark.parametrize(
    "password", ["", "short", "elevenchars", "aaaaaaaaaaaaaaaa", "ada-ada-ada-ada", "passwordpassword", "x" * 1001]
)
def test_a_password_that_is_easy_to_guess_is_not_taken(server: WebServer, password: str) -> None:
    server.engine.directory.change_user("ada", email="adalove@example.com", by="test")
    answer = server.client.post("/v1/users/ada/password", json={"password": password})
    assert answer.status_code == 400
    assert password not in answer.text or not password


def test_a_password_in_other_letters_of_the_same_look_fits(server: WebServer, browser: httpx.Client) -> None:
    server.engine.directory.set_password("ada", "Müller fährt nach Köln", by="test")
    assert sign_in(browser, password="Mu\u0308ller fa\u0308hrt nach Ko\u0308ln").status_code == 303


def test_only_hashes_are_kept(server: WebServer) -> None:
    kept = b"".join(file.read_bytes() for file in server.engine.config.data_path.glob("settings.db*"))
    assert PASSWORD.encode() not in kept
    assert b"$argon2id$" in kept


def test_sign_ins_are_listed_and_ended_ones_own_and_by_administrators_all(
    server: WebServer, browser: httpx.Client
) -> None:
    server.engine.directory.create_user("bob", by="test")
    foreign, foreign_secret = server.engine.directory.open_browser("bob", way="oidc")
    elsewhere, _ = server.engine.directory.open_browser("ada", way="password", address="10.0.0.9", user_agent="Phone")
    sign_in(browser)
    listed = browser.get("/v1/sign-ins").json()["sign_ins"]
    assert {row["user"] for row in listed} == {"ada"}
    assert [row["this"] for row in listed].count(True) == 1
    assert {"10.0.0.9", "Phone"} <= {value for row in listed for value in (row["address"], row["user_agent"])}
    assert browser.get("/v1/sign-ins", params={"all": "1"}).status_code == 403
    assert browser.get("/v1/sign-ins", params={"user": "bob"}).status_code == 403
    assert browser.delete(f"/v1/sign-ins/{foreign.id}").status_code == 404
    assert browser.post(f"/account/sign-ins/{foreign.id}/end", data={}).status_code == 404
    assert "10.0.0.9" in browser.get("/account").text
    assert browser.post(f"/account/sign-ins/{elsewhere.id}/end", data={}).status_code == 303
    assert len(browser.get("/v1/sign-ins").json()["sign_ins"]) == len(listed) - 1
    everybody = server.client.get("/v1/sign-ins", params={"all": "1"}).json()["sign_ins"]
    assert "bob" in {row["user"] for row in everybody}
    assert server.client.delete(f"/v1/sign-ins/{foreign.id}").status_code == 200
    assert server.engine.directory.browser_session(foreign_secret) is None


def test_silence_ends_a_session_and_every_request_keeps_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    running = WebServer(tmp_path_factory.mktemp("data"), browser_idle_ms=1_500, browser_lifetime_ms=60_000)
    try:
        directory = running.engine.directory
        directory.create_user("ada", by="test")
        directory.set_password("ada", PASSWORD, by="test")
        with httpx.Client(base_url=running.url, headers={"origin": running.url}) as browser:
            sign_in(browser)
            began = time.monotonic()
            while time.monotonic() - began < 2.5:
                assert browser.get("/v1/me").status_code == 200
                directory.note_used()
                time.sleep(0.1)
            deadline = time.monotonic() + 10
            secret = next(iter(browser.cookies.jar)).value or ""
            while directory.browser_session(secret) is not None:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert browser.get("/v1/me").status_code == 401
    finally:
        running.close()


def test_a_session_ends_after_its_lifetime_however_busy_it_is(server: WebServer) -> None:
    session, secret = server.engine.directory.open_browser("ada", way="password", lifetime_s=0.5, idle_ms=60_000)
    with httpx.Client(base_url=server.url, cookies={COOKIE: secret}) as browser:
        deadline = time.monotonic() + 10
        while browser.get("/v1/me").status_code == 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert session.id not in {one.id for one in server.engine.directory.browser_sessions()}


def test_behind_https_the_cookie_is_secure_and_browsers_are_told_to_stay(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    running = WebServer(tmp_path_factory.mktemp("data"), public_url="https://audit.example")
    try:
        directory = running.engine.directory
        directory.create_user("ada", by="test")
        directory.set_password("ada", PASSWORD, by="test")
        with httpx.Client(base_url=running.url, headers={"host": "audit.example"}) as browser:
            headers = {"origin": "https://audit.example", "x-forwarded-for": "6.6.6.6, 203.0.113.7"}
            answer = browser.post("/sign-in", data={"login": "ada", "password": PASSWORD}, headers=headers)
            assert answer.status_code == 303
            assert "; Secure" in answer.headers["set-cookie"]
            assert answer.headers["strict-transport-security"]
        (session,) = directory.browser_sessions()
        assert session.address == "203.0.113.7"
        link = running.client.post("/v1/users/ada/password-link").json()["link"]
        assert link.startswith("https://audit.example/password?token=")
    finally:
        running.close()


def test_every_answer_has_the_headers_that_defend_it(server: WebServer) -> None:
    for path in ("/sign-in", "/v1/events", "/nothing", "/healthz", "/account"):
        headers = server.stranger.get(path, headers=HTML).headers
        policy = headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy and "default-src 'none'" in policy
        assert "'unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
