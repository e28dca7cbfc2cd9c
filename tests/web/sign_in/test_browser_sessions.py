"""How long a browser stays signed in, and who ends it."""

from __future__ import annotations

import time

import httpx
import pytest

from support.sign_in import PASSWORD, sign_in
from support.web import WebServer
from whodid.directory.sign_in import COOKIE


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


def test_the_page_of_the_account_tells_times_in_the_readers_zone(server: WebServer, browser: httpx.Client) -> None:
    sign_in(browser)
    assert " UTC</td>" in browser.get("/account").text
    browser.cookies.set("whodid_zone", "Asia/Tokyo")
    page = browser.get("/account").text
    assert " Asia/Tokyo</td>" in page and "UTC" not in page


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
