"""Pages: nothing in an event becomes markup, nothing is fetched from elsewhere, a sign-in link works once."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import httpx
import pytest

from support.web import WebServer

ALLOWED_TAGS = {
    *("html", "head", "meta", "title", "link", "body", "header", "nav", "main", "footer", "section"),
    *("h1", "h2", "p", "a", "span", "small", "dl", "div", "dt", "dd", "svg", "rect", "code", "pre"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}


class Tags(HTMLParser):
    """Collects tags and attributes of a page."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.mark.parametrize("path", ["/", "/docs", "/sign-in?token=%3Cscript%3E"])
def test_pages_hold_no_markup_of_events_and_fetch_nothing_from_elsewhere(server: WebServer, path: str) -> None:
    answer = server.client.get(path, headers={"accept": "text/html"})
    assert answer.headers["content-type"].startswith("text/html")
    assert "script-src" not in answer.headers["content-security-policy"]
    found = Tags(answer.text).tags
    assert {tag for tag, _ in found} <= ALLOWED_TAGS
    for _, attributes in found:
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "srcdoc")]
        for name in ("href", "src"):
            assert (attributes.get(name) or "/").startswith("/")
    assert not {"\x1b", "\u202e"} & set(answer.text)


def test_the_overview_shows_the_numbers_and_the_events_as_text(server: WebServer) -> None:
    page = server.client.get("/").text
    assert "&lt;script&gt;" in page
    assert "query-start" in page
    assert "erika" in page
    assert re.search(r"<dt>errors</dt><dd>1 ", page)


def test_the_overview_of_nothing_says_how_to_begin(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from whodid.web import pages

    monkeypatch.setattr(pages, "SPAN", "0s")
    monkeypatch.setattr(pages, "REMEMBERED_S", -1.0)
    monkeypatch.setattr(server.services, "record", lambda event: None)
    assert "Send a first one" in server.client.get("/").text


def test_a_sign_in_link_signs_one_browser_in_once(server: WebServer) -> None:
    server.engine.directory.create_user("erika", by="test")
    token = server.engine.directory.create_sign_in_token("erika", ["read"])
    with httpx.Client(base_url=server.url, headers={"accept": "text/html"}) as browser:
        assert browser.get("/").status_code == 401
        answer = browser.get("/sign-in", params={"token": token})
        assert answer.status_code == 200
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Path=/" in cookie
        page = browser.get("/")
        assert page.status_code == 200
        assert '<span class="who">erika</span>' in page.text
        assert browser.get("/v1/events").status_code == 200
        assert browser.get("/v1/keys").status_code == 403
        assert browser.get("/v1/events", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    again = server.stranger.get("/sign-in", params={"token": token}, headers={"accept": "text/html"})
    assert again.status_code == 401
    assert "set-cookie" not in again.headers
    (signed_in,) = server.recorded("sign-in")
    assert signed_in["user"] == "erika"
    assert token not in json.dumps(signed_in, default=str)


def test_an_error_for_a_browser_is_a_page_and_for_a_program_json(server: WebServer) -> None:
    page = server.client.get("/nothing", headers={"accept": "text/html"})
    assert page.status_code == 404
    assert page.headers["content-type"].startswith("text/html")
    api = server.client.get("/v1/nothing", headers={"accept": "text/html"})
    assert api.headers["content-type"] == "application/json"
