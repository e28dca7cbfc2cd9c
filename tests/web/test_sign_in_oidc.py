"""Signing in at an identity provider: what it vouches for counts, and nothing else does."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from joserfc.jwk import OctKey, RSAKey

from support.identity_provider import CLIENT, IdentityProvider
from support.web import WebServer
from whodid.directory.sign_in import COOKIE
from whodid.web.sign_in_oidc import CALLBACK
from whodid.web.sign_in_oidc import COOKIE as STATE_COOKIE

HTML = {"accept": "text/html"}
Claims = dict[str, Any]


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    made = IdentityProvider()
    yield made
    made.close()


@pytest.fixture
def server(provider: IdentityProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    options = {"oidc_issuer": provider.issuer, "oidc_client_id": CLIENT, "oidc_client_secret": "a-secret & more"}
    running = WebServer(tmp_path_factory.mktemp("data"), **options)
    yield running
    running.close()


@pytest.fixture
def browser(server: WebServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers=HTML, timeout=30) as client:
        yield client


def sign_in(browser: httpx.Client, provider: IdentityProvider, wanted: str = "/account") -> httpx.Response:
    """The whole way: to the provider and back."""
    there = browser.get("/sign-in/oidc", params={"next": wanted})
    assert there.status_code == 303, there.text
    return browser.get(f"{CALLBACK}?{provider.visited(there.headers['location'])}")


def failures(server: WebServer) -> list[str]:
    return [json.loads(row["parameters"])["reason"] for row in server.recorded("user-login-failed")]


def test_whom_the_provider_vouches_for_is_signed_in_with_its_groups(
    server: WebServer, browser: httpx.Client, provider: IdentityProvider
) -> None:
    provider.claims |= {"name": "Erika M.", "email": "erika@example.com"}
    answer = sign_in(browser, provider, "/account?x=1")
    assert answer.status_code == 200
    assert 'content="0;url=/account?x=1"' in answer.text
    cookies = answer.headers.get_list("set-cookie")
    session = next(cookie for cookie in cookies if cookie.startswith(f"{COOKIE}="))
    assert "SameSite=Strict" in session and "HttpOnly" in session
    assert any(cookie.startswith(f"{STATE_COOKIE}=") and "Max-Age=0" in cookie for cookie in cookies)
    me = browser.get("/v1/me").json()
    assert (me["user"], me["roles"], me["scopes"]) == ("erika", [], [])
    user = server.client.get("/v1/users/erika").json()
    assert (user["friendly_name"], user["email"]) == ("Erika M.", "erika@example.com")
    assert [group["name"] for group in user["groups"]] == ["chemists"]
    told = json.loads(server.recorded("user-logged-in")[-1]["parameters"])
    assert told["way"] == "oidc"


def test_the_request_has_pkce_state_and_nonce_and_its_proof_is_shown(
    browser: httpx.Client, provider: IdentityProvider
) -> None:
    sign_in(browser, provider)
    asked, exchanged = provider.asked, provider.exchanged[-1]
    assert (asked["response_type"], asked["code_challenge_method"], asked["client_id"]) == ("code", "S256", CLIENT)
    digest = hashlib.sha256(exchanged["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
    assert len(asked["state"]) >= 40 and len(asked["nonce"]) >= 40
    assert exchanged["redirect_uri"] == asked["redirect_uri"]
    assert urlsplit(asked["redirect_uri"]).path == CALLBACK


def test_groups_are_left_that_the_provider_names_no_more_and_others_stay(
    server: WebServer, browser: httpx.Client, provider: IdentityProvider
) -> None:
    provider.claims["groups"] = ["chemists", "readers"]
    sign_in(browser, provider)
    server.engine.directory.create_group("by hand", by="test")
    server.engine.directory.add_member("by hand", user="erika", by="test")
    provider.claims["groups"] = ["readers", "analysts"]
    sign_in(browser, provider)
    names = [group.name for group in server.engine.directory.groups_of("erika")]
    assert sorted(names) == ["analysts", "by hand", "readers"]


def test_a_group_of_the_provider_gives_its_roles(
    server: WebServer, browser: httpx.Client, provider: IdentityProvider
) -> None:
    server.engine.directory.create_group("chemists", by="test")
    server.engine.directory.grant("auditor", group="chemists", by="test")
    sign_in(browser, provider)
    assert browser.get("/v1/events").status_code == 200
    provider.claims["groups"] = []
    sign_in(browser, provider)
    assert browser.get("/v1/events").status_code == 403


def test_a_user_stays_the_same_whatever_the_provider_calls_it_later(
    server: WebServer, browser: httpx.Client, provider: IdentityProvider
) -> None:
    sign_in(browser, provider)
    provider.claims["preferred_username"] = "admin"
    sign_in(browser, provider)
    assert browser.get("/v1/me").json()["user"] == "erika"


def test_nobody_takes_over_a_user_who_signs_in_another_way(
    server: WebServer, browser: httpx.Client, provider: IdentityProvider
) -> None:
    server.engine.directory.create_user("erika", by="test")
    server.engine.directory.set_password("erika", "a long enough sentence", by="test")
    assert sign_in(browser, provider).status_code == 409
    assert COOKIE not in browser.cookies
    server.engine.directory.remove_password("erika", by="test")
    assert sign_in(browser, provider).status_code == 200
    provider.claims["sub"] = "s-2"
    assert sign_in(browser, provider).status_code == 409


def test_a_deactivated_user_is_not_let_in(server: WebServer, browser: httpx.Client, provider: IdentityProvider) -> None:
    assert sign_in(browser, provider).status_code == 200
    server.engine.directory.set_active("erika", False, by="test")
    assert browser.get("/v1/me").status_code == 401
    assert sign_in(browser, provider).status_code == 403
    assert browser.get("/v1/me").status_code == 401


def test_claims_that_only_the_user_information_has_are_taken_from_there(
    server: WebServer, browser: httpx.Client, provider: IdentityProvider
) -> None:
    provider.claims = {"sub": "s-9"}
    provider.userinfo = {"sub": "s-9", "preferred_username": "otto", "groups": "single"}
    assert sign_in(browser, provider).status_code == 200
    assert browser.get("/v1/me").json()["user"] == "otto"
    assert [group.name for group in server.engine.directory.groups_of("otto")] == ["single"]


def test_user_information_of_somebody_else_is_refused(browser: httpx.Client, provider: IdentityProvider) -> None:
    provider.userinfo = {"sub": "s-other", "preferred_username": "admin"}
    assert sign_in(browser, provider).status_code == 401


WRONG: dict[str, Callable[[Claims], Claims]] = {
    "nonce": lambda claims: claims | {"nonce": "another"},
    "no nonce": lambda claims: {name: value for name, value in claims.items() if name != "nonce"},
    "issuer": lambda claims: claims | {"iss": "https://evil.example"},
    "audience": lambda claims: claims | {"aud": "another-application"},
    "audience of several": lambda claims: claims | {"aud": ["another-application", "a-third"]},
    "authorized party": lambda claims: claims | {"aud": [CLIENT, "b"], "azp": "b"},
    "expired": lambda claims: claims | {"exp": int(time.time()) - 120, "iat": int(time.time()) - 600},
    "no expiry": lambda claims: {name: value for name, value in claims.items() if name != "exp"},
    "from the future": lambda claims: claims | {"iat": int(time.time()) + 600},
    "not valid yet": lambda claims: claims | {"nbf": int(time.time()) + 600},
    "no subject": lambda claims: {name: value for name, value in claims.items() if name != "sub"},
    "subject that is no text": lambda claims: claims | {"sub": 7},
    "no login": lambda claims: {name: value for name, value in claims.items() if name != "preferred_username"},
    "login that is no text": lambda claims: claims | {"preferred_username": ["erika"]},
    "login that breaks lines": lambda claims: claims | {"preferred_username": "erika\r\nset-cookie: x=y"},
    "login that is too long": lambda claims: claims | {"preferred_username": "e" * 500},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_token_that_does_not_fit_signs_nobody_in(
    server: WebServer, browser: httpx.Client, provider: IdentityProvider, wrong: str
) -> None:
    provider.change = WRONG[wrong]
    answer = sign_in(browser, provider)
    assert answer.status_code == 401
    assert COOKIE not in browser.cookies
    assert len(failures(server)) == 1
    assert server.engine.directory.browser_sessions() == []


def test_a_clock_that_is_a_little_wrong_does_no_harm(browser: httpx.Client, provider: IdentityProvider) -> None:
    provider.change = lambda claims: claims | {"iat": int(time.time()) + 30, "exp": int(time.time()) - 30}
    assert sign_in(browser, provider).status_code == 200


def unsigned(provider: IdentityProvider) -> str:
    def part(value: Claims) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    now = int(time.time())
    claims = {"iss": provider.issuer, "aud": CLIENT, "nonce": provider.asked["nonce"], "iat": now, "exp": now + 300}
    return f"{part({'alg': 'none'})}.{part({**claims, **provider.claims})}."


@pytest.mark.parametrize("how", ["none", "another key", "shared secret", "public key as secret", "no token"])
def test_a_token_that_the_provider_did_not_sign_signs_nobody_in(
    server: WebServer, browser: httpx.Client, provider: IdentityProvider, how: str
) -> None:
    if how == "another key":
        provider.signing_key = RSAKey.generate_key(2048, parameters={"kid": "one"})
    elif how in ("shared secret", "public key as secret"):
        secret = b"a-secret & more" if how == "shared secret" else provider.key.as_pem(private=False)
        # What a careless library would accept: a signature with what is no secret at all.
        provider.signing_key, provider.header = OctKey.import_key(base64.b64encode(secret)), {"alg": "HS256"}
    elif how == "no token":
        provider.forged_token = "a.b.c"
    there = browser.get("/sign-in/oidc")
    back = provider.visited(there.headers["location"])
    if how == "none":
        provider.forged_token = unsigned(provider)
    answer = browser.get(f"{CALLBACK}?{back}")
    assert answer.status_code == 401
    assert COOKIE not in browser.cookies


def test_a_provider_may_change_its_keys(
    server: WebServer, browser: httpx.Client, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whodid.web.oidc.KEYS_AGAIN_S", 0.0)
    assert sign_in(browser, provider).status_code == 200
    provider.key = provider.signing_key = RSAKey.generate_key(2048, parameters={"kid": "two"})
    provider.header = {"alg": "RS256", "kid": "two"}
    assert sign_in(browser, provider).status_code == 200


def test_an_answer_counts_only_in_the_browser_that_asked_and_only_with_its_state(
    server: WebServer, browser: httpx.Client, provider: IdentityProvider
) -> None:
    back = provider.visited(browser.get("/sign-in/oidc").headers["location"])
    with httpx.Client(base_url=server.url, headers=HTML) as victim:
        # The attacker's own answer, in somebody else's browser: login CSRF.
        assert victim.get(f"{CALLBACK}?{back}").status_code == 401
        victim.get("/sign-in/oidc")
        assert victim.get(f"{CALLBACK}?{back}").status_code == 401
        assert COOKIE not in victim.cookies
    assert browser.get(f"{CALLBACK}?code=x&state=guessed").status_code == 401
    assert browser.get(CALLBACK).status_code == 401


@pytest.mark.parametrize("cookie", ["", "x", "x.y", "é.y", "e30.00", "a" * 5000])
def test_a_state_that_was_forged_counts_for_nothing(server: WebServer, provider: IdentityProvider, cookie: str) -> None:
    headers = {**HTML, "cookie": f"{STATE_COOKIE}={cookie}".encode("latin-1").decode("latin-1")}
    answer = httpx.get(f"{server.url}{CALLBACK}?code=x&state=", headers=httpx.Headers(headers, encoding="latin-1"))
    assert answer.status_code == 401


def test_another_issuer_in_the_answer_and_a_refusal_are_told(
    server: WebServer, browser: httpx.Client, provider: IdentityProvider
) -> None:
    back = provider.visited(browser.get("/sign-in/oidc").headers["location"])
    assert browser.get(f"{CALLBACK}?{back}&iss=https://evil.example").status_code == 401
    refused = browser.get(f"{CALLBACK}?state={provider.asked['state']}&error=access_denied&error_description=<b>no</b>")
    assert refused.status_code == 401
    assert "<b>no</b>" not in refused.text
    assert any("access_denied" in reason for reason in failures(server))


@pytest.mark.parametrize("wanted", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_one_never_goes_on_to_another_site(browser: httpx.Client, provider: IdentityProvider, wanted: str) -> None:
    answer = sign_in(browser, provider, wanted)
    assert 'content="0;url=/"' in answer.text
    assert "evil" not in answer.text


def test_no_secret_is_told_in_events_or_pages(
    server: WebServer, browser: httpx.Client, provider: IdentityProvider
) -> None:
    page = sign_in(browser, provider).text
    state = provider.asked["state"]
    provider.change = WRONG["nonce"]
    page += sign_in(browser, provider).text
    server.engine.flush()
    table = server.engine.store.query("SELECT * FROM events", trusted=True).table
    told = json.dumps(table.to_pylist(), default=str) + page
    for secret in (
        "a-secret",
        "an-access-token",
        state,
        provider.exchanged[0]["code_verifier"],
        browser.cookies.get(STATE_COOKIE) or "no cookie",
    ):
        assert secret not in told


def test_without_a_provider_there_is_no_such_way(tmp_path_factory: pytest.TempPathFactory) -> None:
    running = WebServer(tmp_path_factory.mktemp("data"))
    try:
        assert running.stranger.get("/sign-in/oidc").status_code == 404
        assert "organisation" not in running.stranger.get("/sign-in", headers=HTML).text
    finally:
        running.close()


def test_a_provider_that_is_away_or_calls_itself_otherwise_is_told_as_such(
    server: WebServer, browser: httpx.Client, provider: IdentityProvider
) -> None:
    provider.issuer = "http://127.0.0.1:1"
    answer = browser.get("/sign-in/oidc")
    assert answer.status_code == 503
    assert "calls itself" in answer.text


@pytest.mark.parametrize("end", ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"])
def test_a_provider_whose_addresses_cannot_be_read_is_told_as_such(
    server: WebServer, browser: httpx.Client, provider: IdentityProvider, end: str
) -> None:
    provider.described = {end: "https://[::1/no-end"}
    answer = browser.get("/sign-in/oidc")
    assert answer.status_code == 503
    assert "addresses that cannot be read" in answer.text
