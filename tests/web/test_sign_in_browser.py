"""Signing in with a real browser: its forms count as our own pages', and no other page may show ours in a frame."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from support.looking import PHONE, accessible, fits
from support.web import WebServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    running = WebServer(tmp_path_factory.mktemp("data"))
    running.engine.directory.create_user("ada", by="test")
    running.engine.directory.grant("auditor", user="ada", by="test")
    running.engine.directory.set_password("ada", PASSWORD, by="test")
    yield running
    running.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def evil(server: WebServer) -> Iterator[str]:
    """A page of another origin, but the same site, that shows ours in a frame and sends a form to it by itself."""
    content = f"""<!doctype html><iframe id="frame" src="{server.url}/sign-in"></iframe>
        <form id="form" method="post" action="{server.url}/sign-out"></form>""".encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as other:
        threading.Thread(target=other.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{other.server_address[1]}"
        other.shutdown()


def sign_in(page: Page, server: WebServer) -> None:
    page.goto(f"{server.url}/account")
    page.fill("[name=login]", "ada")
    page.fill("[name=password]", PASSWORD)
    page.click("button.main")
    page.locator("text=Who you are here").wait_for()


def test_one_signs_in_goes_on_where_one_wanted_to_and_out_again(page: Page, server: WebServer) -> None:
    page.goto(f"{server.url}/account")
    page.fill("[name=login]", "ada")
    page.fill("[name=password]", "a wrong password")
    page.click("button.main")
    page.locator("[role=alert]").wait_for()
    assert page.input_value("[name=login]") == "ada"
    assert page.input_value("[name=password]") == ""
    sign_in(page, server)
    assert page.url == f"{server.url}/account"
    assert page.evaluate("document.cookie.includes('whodid_session')") is False
    page.click("text=Sign out")
    page.wait_for_url("**/sign-in")
    assert page.goto(f"{server.url}/account").status == 401  # type: ignore[union-attr]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_of_signing_in_are_accessible(page: Page, server: WebServer, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    link = server.client.post("/v1/users/ada/password-link").json()["link"]
    for address in (f"{server.url}/sign-in", server.url + link.removeprefix(server.url)):
        page.goto(address)
        accessible(page)
    sign_in(page, server)
    accessible(page)
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    for path in ("/account", "/sign-in", "/docs"):
        page.goto(server.url + path)
        fits(page)


def test_another_origin_can_neither_frame_our_pages_nor_use_a_sign_in(page: Page, server: WebServer, evil: str) -> None:
    sign_in(page, server)
    page.goto(evil)
    framed = page.frames[1]
    assert framed.locator("[name=password]").count() == 0
    with page.expect_response(f"{server.url}/sign-out") as answered:
        page.evaluate("document.getElementById('form').submit()")
    assert answered.value.status == 403
    page.wait_for_url("**/sign-out")
    page.goto(f"{server.url}/account")
    page.locator("text=Who you are here").wait_for()
