"""Panes: their tokens show one thing for a short time, and other applications show them in real browsers."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from support.looking import accessible
from support.reading import event
from support.web import WebServer
from whodid.receive.pane_tokens import PREFIX, SERVER_KEY, Claims, signed

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[2]
NASTY = "<img src=x onerror=document.title='hacked'>"
LONG = "y" * 150
OWN = "/v1/entities/query/q-17/activity"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    running = WebServer(tmp_path_factory.mktemp("data"))
    now = datetime.now(UTC)
    running.store(
        [
            *(event("query-run", at=now - timedelta(hours=hours), user="erika", duration_ms=1234.0,
                    entities=[("query", "q-17", "Sales")], description="Ran @region",
                    parameters={"region": f"region {hours}"}) for hours in range(1, 81)),
            event("query-failed", at=now - timedelta(minutes=9), user=NASTY + LONG, level="error", source="server",
                  duration_ms=99.0, error_message=NASTY, entities=[("query", "q-17", "Sales")]),
            event("query-run", at=now - timedelta(days=20), user="otto", entities=[("query", "q-17", "Sales")]),
            event("query-run", at=now, user="hidden", entities=[("query", "q-18", "Payroll")]),
        ]
    )  # fmt: skip
    yield running
    running.close()


@pytest.fixture(scope="module")
def key(server: WebServer) -> str:
    return server.engine.directory.create_key("application", ["read"], by="test")[1]


def token_of(server: WebServer, key: str, **asked: Any) -> str:
    with server.as_caller(key) as client:
        answer = client.post("/v1/pane-tokens", json={"entity": "query:q-17", **asked})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


def status(server: WebServer, token: str, path: str = OWN, method: str = "GET", **headers: str) -> int:
    with server.as_caller(token) as client:
        return client.request(method, path, headers=headers).status_code


def test_a_token_shows_its_entity_and_nothing_else(server: WebServer, key: str) -> None:
    token = token_of(server, key, viewer="guest")
    with server.as_caller(token) as client:
        shown = client.get(OWN).json()["events"]
        assert {row["entity_id"] for row in shown} == {"q-17"}
        assert client.get("/v1/entities/query/q-17/usage", params={"since": "30d"}).json()["numbers"]["events"] == 82
    assert server.recorded("audit-read")[-1]["user"] == "guest"
    others = ["/v1/entities/query/q-18/activity", "/v1/entities/other/q-17/activity", "/v1/users/erika/activity",
              "/v1/users/query/q-17/activity", "/v1/events", "/v1/events/stream", "/v1/me", "/v1/reports", "/v1/status",
              "/", "/account", "/v1/entities/query/q-17%2Factivity/usage"]  # fmt: skip
    for path in others:
        assert status(server, token, path) in (401, 403, 404), path
    assert status(server, token, "/v1/pane-tokens", "POST") == 403
    assert status(server, token, "/v1/events", "POST") in (401, 403, 404, 405)


def test_a_token_shows_the_parts_it_was_made_for(server: WebServer, key: str) -> None:
    token = token_of(server, key, parts=["usage"])
    assert status(server, token, "/v1/entities/query/q-17/usage") == 200
    assert status(server, token, OWN) == 403


def test_a_token_of_a_user_shows_that_user(server: WebServer, key: str) -> None:
    token = token_of(server, key, entity=None, user="erika")
    assert status(server, token, "/v1/users/erika/activity") == 200
    assert status(server, token, "/v1/users/hidden/activity") == 403
    assert status(server, token) == 403


def test_a_token_ends_with_its_time_its_key_and_the_server_key(server: WebServer, key: str) -> None:
    server_key = server.engine.directory.server_key(SERVER_KEY)
    old = Claims(parts=("activity",), expires_at=int(time.time()) - 1, key_id=None, entity=("query", "q-17"))
    assert status(server, signed(old, server_key)) == 401
    made, secret = server.engine.directory.create_key("to be revoked", ["read"], by="test")
    token, other = token_of(server, secret), token_of(server, key)
    assert (status(server, token), status(server, other)) == (200, 200)
    server.engine.directory.revoke_key(made.id, by="test")
    assert (status(server, token), status(server, other)) == (401, 200)
    assert server.client.delete("/v1/pane-tokens").status_code == 200
    assert status(server, other) == 401
    assert status(server, token_of(server, key)) == 200
    assert server.recorded("server-key-rotated")


def forgeries(token: str) -> dict[str, str]:
    content, _, signature = token.removeprefix(PREFIX).partition(".")
    claims = json.loads(base64.urlsafe_b64decode(content + "=="))
    wider = base64.urlsafe_b64encode(json.dumps(claims | {"entity": ["query", "q-18"]}).encode()).rstrip(b"=").decode()
    longer = base64.urlsafe_b64encode(json.dumps(claims | {"exp": 2**40}).encode()).rstrip(b"=").decode()
    return {
        "another entity": f"{PREFIX}{wider}.{signature}",
        "a longer time": f"{PREFIX}{longer}.{signature}",
        "no signature": f"{PREFIX}{content}.",
        "no content": f"{PREFIX}.{signature}",
        "cut": token[:-1],
        "another prefix": token.replace("pane", "key"),
        "signed by a guess": signed(
            Claims(parts=("activity",), expires_at=2**40, key_id=None, entity=("query", "q-17")), b"guess"
        ),
        "nonsense": f"{PREFIX}%%%.%%%",
        "too long": token + "a" * 10_000,
        "other letters": f"{PREFIX}é.é",
    }


@pytest.mark.parametrize("how", forgeries(f"{PREFIX}e30.e30"))
def test_a_forged_token_shows_nothing(server: WebServer, key: str, how: str) -> None:
    forged = forgeries(token_of(server, key))[how]
    headers = httpx.Headers({"authorization": f"Bearer {forged}"}, encoding="latin-1")
    for path in (OWN, "/v1/entities/query/q-18/activity"):
        assert httpx.get(server.url + path, headers=headers).status_code in (401, 431, 400)


@pytest.mark.parametrize(
    "asked",
    [{}, {"entity": "query:q-17", "user": "erika"}, {"entity": "no-colon"}, {"user": ""}, {"user": "a\0"},
     {"entity": "query:q-17", "lifetime_s": 3601}, {"entity": "query:q-17", "lifetime_s": 0},
     {"entity": "query:q-17", "parts": []}, {"entity": "query:q-17", "parts": ["sql"]}],
)  # fmt: skip
def test_a_token_that_makes_no_sense_is_not_made(server: WebServer, key: str, asked: dict[str, Any]) -> None:
    with server.as_caller(key) as client:
        assert client.post("/v1/pane-tokens", json=asked).status_code == 400


def test_only_keys_that_read_make_tokens(server: WebServer) -> None:
    _, writing = server.engine.directory.create_key("only writes", ["write"], by="test")
    with server.as_caller(writing) as client:
        assert client.post("/v1/pane-tokens", json={"user": "erika"}).status_code == 403
    assert server.stranger.post("/v1/pane-tokens", json={"user": "erika"}).status_code == 401


def test_only_pages_of_allowed_origins_ask_and_show_frames(server: WebServer, key: str) -> None:
    token = token_of(server, key)
    ask = {"access-control-request-method": "GET", "access-control-request-headers": "authorization"}
    server.engine.directory.change_setting("access.allowed_origins", ["https://app.example"])
    try:
        good = server.stranger.options(OWN, headers={**ask, "origin": "https://app.example"})
        assert (good.status_code, good.headers["access-control-allow-origin"]) == (204, "https://app.example")
        assert "authorization" in good.headers["access-control-allow-headers"]
        assert "access-control-allow-credentials" not in good.headers
        assert server.stranger.options(OWN, headers={**ask, "origin": "https://evil.example"}).status_code == 403
        assert status(server, token, origin="https://app.example") == 200
        assert status(server, token, origin="https://evil.example") == 403
        frame = server.stranger.get("/panes/usage", params={"entity": f"query:{NASTY}"})
        assert "frame-ancestors 'self' https://app.example" in frame.headers["content-security-policy"]
        assert NASTY not in frame.text
        server.engine.directory.change_setting("access.allowed_origins", ["https://x.example; script-src *"])
        assert "script-src *" not in server.stranger.get("/panes/usage?user=a").headers["content-security-policy"]
    finally:
        server.engine.directory.change_setting("access.allowed_origins", None)
    for wrong in ("/panes/usage", "/panes/usage?entity=a:b&user=c", "/panes/usage?user=a&x=1"):
        assert server.stranger.get(wrong).status_code == 400
    assert server.stranger.get("/panes/nothing?user=a").status_code == 404


def test_the_module_is_small_and_any_page_may_load_it(server: WebServer) -> None:
    import gzip

    answer = server.stranger.get("/panes.js", headers={"origin": "https://anywhere.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert len(gzip.compress(answer.content)) < 8_000
    again = server.stranger.get("/panes.js", headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304


@pytest.fixture(scope="module")
def application(server: WebServer, key: str) -> Iterator[str]:
    """The example application on an origin of its own, which the server allows."""
    environment = {**os.environ, "WHODID_URL": server.url, "WHODID_KEY": key, "WHODID_ENTITY": "query:q-17"}
    command = [sys.executable, str(ROOT / "examples" / "panes" / "server.py"), "0"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        server.engine.directory.change_setting("access.allowed_origins", [url])
        yield url
    finally:
        process.kill()
        process.communicate()
        server.engine.directory.change_setting("access.allowed_origins", None)


@pytest.fixture(params=["light", "dark"])
def page(chromium: Browser, application: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = chromium.new_context(color_scheme=request.param, viewport={"width": 1100, "height": 1250})
    context.set_default_timeout(60_000)
    opened = context.new_page()
    complaints: list[str] = []
    opened.complaints = complaints  # type: ignore[attr-defined]
    opened.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(application)
    yield opened
    context.close()


def test_a_foreign_application_shows_both_panes_and_a_frame(page: Page) -> None:
    activity, usage = page.locator("whodid-activity"), page.locator("whodid-usage")
    activity.locator("li").nth(49).wait_for()
    assert activity.locator("h2").text_content() == "Activity · query:q-17"
    assert NASTY in (activity.locator("li").first.text_content() or "")
    name = activity.locator("li span").first
    assert name.evaluate("one => one.scrollWidth <= one.clientWidth"), "a long name is not written over the duration"
    assert "Ran region 1" in (activity.locator("li").nth(1).text_content() or "")
    assert "1.2 s" in (activity.locator("li").nth(1).text_content() or "")
    usage.locator("dd").first.wait_for()
    assert usage.locator("dd").all_text_contents()[:2] == ["3", "82"]
    assert usage.locator("select").input_value() == "30d"
    frame = page.frame_locator("#frame").locator("whodid-activity")
    frame.locator("li").nth(49).wait_for()
    assert page.title() != "hacked"
    accessible(page)
    assert page.complaints == []  # type: ignore[attr-defined]
    shots = ROOT / "build" / "panes"
    shots.mkdir(parents=True, exist_ok=True)
    scheme = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'")
    page.screenshot(path=shots / f"{scheme}.png")


def test_another_range_and_earlier_events_are_read_by_keyboard(page: Page) -> None:
    activity = page.locator("whodid-activity")
    activity.locator("li").nth(49).wait_for()
    activity.locator(".more").press("Enter")
    activity.locator("li").nth(80).wait_for()
    activity.locator("select").select_option("24h")
    activity.locator("li").nth(50).wait_for(state="detached")
    assert 20 <= activity.locator("li").count() <= 25
    assert activity.get_attribute("since") == "24h"
    activity.evaluate("element => element.setAttribute('entity', 'query:q-18')")
    activity.locator("[role=alert]").wait_for()
    assert "something else" in (activity.locator("[role=alert]").text_content() or "")


def test_tokens_are_renewed_before_they_end_in_elements_and_frames(
    page: Page, server: WebServer, key: str, application: str
) -> None:
    short = token_of(server, key, lifetime_s=1)
    page.goto(application)
    page.evaluate(
        """token => {
          const made = document.createElement('whodid-usage');
          made.id = 'callback'; made.calls = 0;
          made.tokens = async () => { made.calls += 1; return (await fetch('/whodid-token')).text(); };
          made.setAttribute('entity', 'query:q-17'); made.setAttribute('token', token);
          document.body.append(made);
          document.getElementById('frame').src = document.getElementById('frame').src.replace(/#.*/, '') + '&x';
        }""",
        short,
    )
    page.locator("#callback dd").first.wait_for()
    assert page.evaluate("document.getElementById('callback').calls") == 1
    address = page.get_attribute("#frame", "src") or ""
    page.evaluate(
        "address => { const f = document.getElementById('frame'); f.src = 'about:blank'; f.src = address; }",
        address.partition("#")[0].replace("&x", "") + f"#token={short}",
    )
    page.frame_locator("#frame").locator("li").first.wait_for()
