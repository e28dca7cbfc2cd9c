"""Signing in with a password: what works, and everything that is tried against it."""

from __future__ import annotations

import json
import re
import statistics
import time
from datetime import timedelta

import httpx
import pytest

from support.sign_in import PASSWORD, sign_in, told
from support.web import WebServer
from whodid.directory import attempts, tables
from whodid.directory.sign_in import COOKIE


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


def test_reports_know_from_which_address_somebody_signed_in_or_tried_to(
    server: WebServer, browser: httpx.Client
) -> None:
    sign_in(browser, password="not the password")
    sign_in(browser)
    server.engine.flush()

    def reported(name: str) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = browser.get(f"/v1/reports/{name}?users=ada").json()["rows"]
        return rows

    (logins,) = reported("logins")
    assert (logins["addresses"], logins["failed_addresses"]) == (1, 1)
    assert [row["address"] for row in reported("new-addresses")] == ["127.0.0.1"]


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
