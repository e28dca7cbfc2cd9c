"""Signing in at real identity providers: a strict one (npm oidc-provider) and a quick one (PyPI oidc-provider-mock)."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from conftest import absent
from support.javascript import JavaScriptMissing, node
from support.web import WebServer
from whodid.web.sign_in_oidc import CALLBACK

HERE = Path(__file__).parent / "oidc"
HTML = {"accept": "text/html"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.fixture
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """A server whose users sign in at the strict provider."""
    try:
        program = node()
    except JavaScriptMissing as missing:
        absent(str(missing))
    if not (HERE / "node_modules" / "oidc-provider").is_dir():
        absent("oidc-provider is not installed (npm install --prefix tests/services/oidc)")
    port = free_port()
    running = WebServer(
        tmp_path_factory.mktemp("data"),
        oidc_issuer=f"http://127.0.0.1:{port}",
        oidc_client_id="whodid",
        oidc_client_secret="between us",
        oidc_scopes="openid profile email groups",
    )
    command = [program, str(HERE / "provider.js"), str(port), running.url + CALLBACK]
    provider = subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert provider.stdout is not None and provider.stderr is not None
        assert provider.stdout.readline().strip() == f"http://127.0.0.1:{port}", provider.stderr.read()
        yield running
    finally:
        provider.kill()
        provider.communicate()
        running.close()


def filled(page: httpx.Response, browser: httpx.Client, **fields: str) -> httpx.Response:
    """Send the first form of a page, with its hidden fields and these."""
    form = re.search(r'<form[^>]*action="([^"]*)"', page.text)
    assert form is not None, page.text
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    target = urljoin(str(page.url), form[1])
    return browser.post(target, data=hidden | fields, follow_redirects=True)


def test_the_strict_provider_signs_a_user_in_with_its_groups(strict: WebServer) -> None:
    with httpx.Client(base_url=strict.url, headers=HTML, follow_redirects=True, timeout=30) as browser:
        page = filled(browser.get("/sign-in/oidc?next=/account"), browser, login="erika", password="any")
        page = filled(page, browser)
        assert page.status_code == 200, page.text
        assert 'content="0;url=/account"' in page.text
        assert browser.get("/v1/me").json()["user"] == "erika-login"
    user = strict.client.get("/v1/users/erika-login").json()
    assert (user["friendly_name"], user["email"]) == ("Name of erika", "erika@example.com")
    assert [group["name"] for group in user["groups"]] == ["from the provider"]


def test_the_quick_provider_signs_a_user_in(tmp_path_factory: pytest.TempPathFactory) -> None:
    mock = pytest.importorskip("oidc_provider_mock")
    user = mock.User(sub="erika", claims={"preferred_username": "erika", "groups": ["g"]})
    with mock.run_server_in_thread(user_claims=[user], require_nonce=True) as provider:
        running = WebServer(
            tmp_path_factory.mktemp("data"),
            oidc_issuer=f"http://localhost:{provider.server_port}",
            oidc_client_id="whodid",
            oidc_client_secret="between us",
        )
        try:
            with httpx.Client(base_url=running.url, headers=HTML, timeout=30) as browser:
                there = browser.get("/sign-in/oidc").headers["location"]
                back = browser.post(there, data={"sub": "erika"})
                assert back.status_code in (302, 303), back.text
                assert browser.get(back.headers["location"]).status_code == 200
                assert browser.get("/v1/me").json()["user"] == "erika"
        finally:
            running.close()
