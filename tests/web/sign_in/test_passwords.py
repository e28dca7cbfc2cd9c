"""Links with which a password is chosen, passwords that are taken, and what is kept of them."""

from __future__ import annotations

import json

import httpx
import pytest

from support.sign_in import ANOTHER, HTML, PASSWORD, sign_in
from support.web import WebServer


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
