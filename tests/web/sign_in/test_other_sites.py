"""What other sites and their pages may try."""

from __future__ import annotations

import httpx
import pytest

from support.sign_in import HTML, PASSWORD, sign_in
from support.web import WebServer
from whodid.directory.sign_in import COOKIE


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
