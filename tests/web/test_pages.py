"""Pages: nothing in an event becomes markup, nothing is fetched from elsewhere, every page works without scripts."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from support.reading import event
from support.web import WebServer
from whodid.directory.sign_in import COOKIE
from whodid.web.pages.catalogue import PAGES

BROWSER = {"accept": "text/html,application/xhtml+xml"}
PLAIN = [page.path for page in PAGES if "{" not in page.path]
# What an event could smuggle in and no page needs.
REFUSED_TAGS = {"iframe", "object", "embed", "base", "img", "audio", "video", "style", "template", "frame"}


class Tags(HTMLParser):
    """Collects tags and attributes of a page."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def checked(answer: httpx.Response) -> Tags:
    """The tags of a page that holds no markup but the templates' own."""
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy and "http" not in policy and "default-src 'none'" in policy
    found = Tags(answer.text)
    identifiers = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(identifiers) == len(set(identifiers)), "an id stands twice"
    for tag, attributes in found.tags:
        assert tag not in REFUSED_TAGS
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "srcdoc")]
        if tag == "script":
            assert (attributes.get("src") or "").startswith("/static/")
        for name in ("href", "src", "action"):
            assert (attributes.get(name) or "/")[0] in "/#?"
            assert not (attributes.get(name) or "/").startswith("//")
    assert not {"\x1b", "\u202e"} & set(answer.text)
    return found


@pytest.mark.parametrize(
    "path", [*PLAIN, *(f"{path}?full=1" for path in PLAIN), "/docs", "/sign-in?token=%3Cscript%3E"]
)
def test_pages_hold_no_markup_of_events_and_fetch_nothing_from_elsewhere(server: WebServer, path: str) -> None:
    answer = server.client.get(path, headers=BROWSER)
    assert answer.status_code == (401 if "sign-in" in path else 200), answer.text
    checked(answer)


def test_a_page_names_the_tiles_that_it_fetches_and_each_answers(server: WebServer) -> None:
    for path in PLAIN:
        page = checked(server.client.get(path, headers=BROWSER))
        sources = [attributes["data-source"] for _, attributes in page.tags if "data-source" in attributes]
        assert sources or path == "/events"
        for source in sources:
            assert server.client.get(str(source)).status_code == 200, source


def test_the_overview_shows_the_numbers_and_the_events_as_text(server: WebServer) -> None:
    page = server.client.get("/?full=1").text
    assert "&lt;script&gt;" in page
    assert "query-start" in page
    assert "erika" in page
    assert re.search(r'<div class="bad"><dt title="errors">errors</dt><dd>1 <small', page)


def test_a_page_of_nothing_says_what_to_do(server: WebServer) -> None:
    page = server.client.get("/?full=1&since=2001-01-01&until=2001-01-02").text
    assert "Nothing here in this time" in page
    assert "Choose a longer range" in page


def test_an_instance_without_events_says_what_to_do_first(tmp_path: Path) -> None:
    running = WebServer(tmp_path / "data")
    try:
        for path in ("/", "/users", "/events"):
            page = running.client.get(path).text
            assert f"curl {running.url}/v1/events" in page and "whodid import" in page, "looking is no beginning"
        own = [event(kind, at=datetime.now(UTC), user="erika") for kind in ("user-logged-in", "settings-changed")]
        running.store(own)
        assert "Nothing has been sent yet" in running.client.get("/").text
        running.store([event("query-start", at=datetime.now(UTC), user="erika")])
        assert "Nothing has been sent yet" not in running.client.get("/").text
    finally:
        running.close()


def test_pages_of_a_reader_say_that_they_are_made_of_what_the_reader_may_see(server: WebServer) -> None:
    directory = server.engine.directory
    directory.create_user("rita", by="test")
    directory.grant("reader", user="rita", projects=["CHEM"], by="test")
    _, secret = directory.open_browser("rita", way="password")
    with httpx.Client(base_url=server.url, cookies={COOKIE: secret}, headers=BROWSER, timeout=30) as rita:
        page = rita.get("/security").text
        assert "Everyone" not in page and "What you may see, " in page
        assert '<a class="chip none" href="/account"' in page
        assert "What you may see where user is <bdi>ada</bdi>, " in rita.get("/events?user=ada").text
        assert (
            "What you may see of <bdi>A</bdi> where user is not <bdi>ada</bdi>, "
            in rita.get("/entities/dataset/A?user=!ada").text
        )
        probed = rita.get("/tiles/security/probed").text
        assert "In what you may see:" in probed and "Nobody tried to get into an account." in probed
        assert "Nothing that you may see" in rita.get("/events/rows").text
    whole = server.client.get("/tiles/security/probed").text
    assert "Nobody tried" in whole and "you may see" not in whole
    assert "Everyone, all projects" in server.client.get("/security").text
    assert "Everyone" not in server.client.get("/users/erika").text


def test_what_a_page_is_narrowed_to_can_be_turned_round_and_taken_off_without_scripts(server: WebServer) -> None:
    page = server.client.get("/", params={"range": "7d", "user": "erika", "type": "!query-*"}).text
    assert (
        '<a class="turn" href="/?range=7d&amp;user=%21erika&amp;type=%21query-%2A" title="Turn round: is not">' in page
    )
    assert '<a class="off" href="/?range=7d&amp;user=erika"' in page
    assert "Where user is <bdi>erika</bdi>, type is not <bdi>query-*</bdi>" in page


def test_a_tile_sorts_and_gives_its_table_its_sql_and_its_exports(server: WebServer) -> None:
    page = server.client.get("/tiles/overview/types/table", params={"sort": "type"}).text
    assert 'aria-sort="ascending"' in page
    assert "SELECT" in page and "which the console refuses" in page and "whodid report types" in page
    exports = re.findall(r'href="(/v1/reports/types\?[^"]*format=(\w+))"', page)
    assert {form for _, form in exports} == {"csv", "parquet", "json"}
    for address, _ in exports:
        assert server.client.get(address.replace("&amp;", "&")).status_code == 200


def test_days_of_a_node_are_of_what_the_page_is_narrowed_to(server: WebServer) -> None:
    at = datetime.now(UTC) - timedelta(days=3)
    server.store(
        [event("step", at=at, user="ada", node="design-9", status=status) for status in ("ok", "ok", "failed")]
    )

    def told(**narrowed: str) -> str:
        text = server.client.get("/tiles/node/days", params={"about": "design-9", "range": "30d", **narrowed}).text
        found = re.search(r"<b>(\d+)</b> events?", text)
        return found[1] if found else text

    assert [told(), told(user="ada"), told(status="ok"), told(range="7d", status="failed")] == ["3", "3", "2", "1"]
    assert "No events." in told(user="bob")


def test_a_page_says_how_many_events_it_is_about(server: WebServer) -> None:
    at, thing = datetime.now(UTC) - timedelta(days=3), ("dataset", "A.counted")
    server.store(
        [
            event("step-a", at=at, user="ada-of-counts", entities=[thing]),
            event("step-b", at=at, user="ada-of-counts", entities=[thing], node="design-9"),
            event("step-c", at=at, user="bob", entities=[thing]),
        ]
    )

    def told(page: str, *about: str, **narrowed: str) -> str:
        asked: dict[str, Sequence[str]] = {"about": about, "range": "30d", **narrowed}
        return server.client.get(f"/tiles/{page}/count", params=asked).text

    assert told("entity", "dataset", "A.counted") == "3 events"
    assert told("entity", "dataset", "A.counted", range="24h") == "0 events"
    assert told("entity", "dataset", "A.counted", node="design-9") == "1 event", "the numbers know no nodes"
    assert told("user", "ada-of-counts", type="step-*") == "2 events"
    assert told("node", "design-9", user="ada-of-counts") == "1 event", "the page has no numbers"


@pytest.mark.parametrize(
    ("login", "names", "shown"),
    [
        ("zed", {"name": "Zed Zulu"}, "Zed Zulu"),
        ("zoe", {"first_name": "Zoe", "last_name": "Zorn"}, "Zoe Zorn"),
        ("zac", {"name": "Zac Zola", "friendly_name": "Zac"}, "Zac"),
        ("zen", {}, "zen"),
    ],
)
def test_the_page_of_a_user_tells_the_name(server: WebServer, login: str, names: dict[str, str], shown: str) -> None:
    server.engine.directory.create_user(login, **names)
    assert f"<dt>name</dt><dd>{shown}</dd>" in server.client.get("/tiles/user/who", params={"about": login}).text


def test_looking_at_a_page_is_an_event_and_its_tiles_are_no_further_one(server: WebServer) -> None:
    asked = {"user": "somebody-looked-for"}
    server.client.get("/users", params=asked)
    server.client.get("/tiles/users/people", params=asked)
    looks = [json.loads(row["parameters"]) for row in server.recorded("audit-read")]
    (look,) = [look for look in looks if look["filter"].get("user") == ["somebody-looked-for"]]
    assert look["what"] == "page users"


def test_files_of_pages_are_kept_for_a_year_under_a_name_of_their_content(server: WebServer) -> None:
    page = Tags(server.client.get("/").text)
    files = [
        attributes.get("href") or attributes.get("src") for tag, attributes in page.tags if tag in ("link", "script")
    ]
    sizes: dict[str, int] = {}
    for name in files:
        answer = server.client.get(str(name), headers={"accept-encoding": "gzip"})
        assert "immutable" in answer.headers["cache-control"], name
        sizes[str(name).rpartition(".")[2]] = sizes.get(str(name).rpartition(".")[2], 0) + int(
            answer.headers["content-length"]
        )
    assert sizes["js"] <= 20_000
    assert sizes["css"] <= 15_000
    assert server.client.get("/static/whodid.0123.css").headers["cache-control"] == "public, max-age=300"
    assert server.client.get("/static/nothing.js").status_code == 404


def test_a_sign_in_link_signs_one_browser_in_once(server: WebServer) -> None:
    server.engine.directory.create_user("erika", by="test")
    token = server.engine.directory.create_sign_in_token("erika", ["read"])
    with httpx.Client(base_url=server.url, headers=BROWSER) as browser:
        assert browser.get("/").status_code == 401
        answer = browser.get("/sign-in", params={"token": token})
        assert answer.status_code == 200
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Path=/" in cookie
        page = browser.get("/")
        assert page.status_code == 200
        assert '<a class="who" href="/account" title="Signed in; your account">erika</a>' in page.text
        assert browser.get("/v1/events").status_code == 200
        assert browser.get("/v1/keys").status_code == 403
        assert browser.get("/v1/events", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    again = server.stranger.get("/sign-in", params={"token": token}, headers=BROWSER)
    assert again.status_code == 401
    assert "set-cookie" not in again.headers
    (signed_in,) = server.recorded("user-logged-in")
    assert signed_in["user"] == "erika"
    assert token not in json.dumps(signed_in, default=str)


@pytest.mark.parametrize("time", ["range=2w", "since=soon", "until=2026-13-01"])
def test_a_time_that_is_none_is_refused_on_a_page(server: WebServer, time: str) -> None:
    for path in ("/", "/events", "/users/erika"):
        page = server.client.get(f"{path}?{time}", headers=BROWSER)
        assert page.status_code == 400
        checked(page)


def test_an_error_for_a_browser_is_a_page_and_for_a_program_json(server: WebServer) -> None:
    page = server.client.get("/nothing", headers=BROWSER)
    assert page.status_code == 404
    checked(page)
    for path in ("/v1/nothing", "/tiles/overview/nothing"):
        api = server.client.get(path, headers=BROWSER)
        assert api.status_code == 404
        assert api.headers["content-type"] == "application/json"
