"""Signing in at an identity provider: there, and back again."""

from __future__ import annotations

import base64
import hashlib
import hmac
from importlib.util import find_spec
from typing import Any, Final

import msgspec
from litestar import Response

from whodid.directory.model import BrowserSession
from whodid.errors import WhodidError
from whodid.typed import decode
from whodid.web.browsers import address_of, begun, browser_of, goes_on, happened, is_https
from whodid.web.next_page import next_page
from whodid.web.oidc import Asked, Provider, claim, groups_of, new_question, refused
from whodid.web.pages.frame import page
from whodid.web.requests import Req, address_here, one, query_of, services_of
from whodid.web.services import Services

COOKIE: Final = "whodid_sign_in"
SERVER_KEY: Final = "sign-in"
CALLBACK: Final = "/sign-in/oidc/callback"
ANSWER: Final = ("code", "state", "iss", "error", "error_description", "error_uri", "session_state")
LIFETIME_S: Final = 10 * 60
LOGIN_MAX: Final = 200


async def to_provider(request: Req) -> Response[bytes]:
    """Send the browser to the identity provider, with a cookie that it has to bring back."""
    wanted, services = next_page(one(query_of(request, ["next"]), "next")), services_of(request)
    provider = provider_of(services)
    asked = new_question(wanted, LIFETIME_S)
    where = await provider.authorization_url(asked, _redirect_uri(request))
    key = await services.call(services.directory.server_key, SERVER_KEY)
    return goes_on(where, _cookie(request, _sealed(asked, key), LIFETIME_S))


async def from_provider(request: Req) -> Response[bytes]:
    """Take the browser back from the identity provider, and sign it in as whom that vouches for.

    The cookie of the way there is one that other sites' links carry (Lax), as this request comes from the provider's
    page; it is worth nothing without the answer that belongs to it. The session's own cookie is strict.
    """
    given, services = query_of(request, ANSWER), services_of(request)
    provider = provider_of(services)
    try:
        asked = await services.call(_unsealed, services, request.cookies.get(COOKIE, ""))
        answer = {name: one(given, name) for name in given}
        claims = await provider.claims(asked, answer, _redirect_uri(request))
        session, secret = await services.call(_signed_in, services, claims, browser_of(request))
    except WhodidError as error:
        failed = happened(
            "user-login-failed", "somebody who is not known", way="oidc", address=address_of(request),
            reason=error.message,
        )  # fmt: skip
        await services.call(services.record, failed)
        raise
    cookie = await begun(request, session, secret)
    done = page(request, "signed_in.html", headers={"set-cookie": cookie}, next=asked.next)
    done.set_cookie(COOKIE, "", max_age=0, path=CALLBACK, httponly=True, samesite="lax", secure=is_https(request))
    return done


def provider_of(services: Services) -> Provider:
    """The provider of the options; one a server, as it remembers what it is told. Raises not_found."""
    config = services.config
    if not config.oidc_issuer or not config.oidc_client_id:
        raise WhodidError(
            "not_found", "There is no identity provider.", "Set WHODID_OIDC_ISSUER and WHODID_OIDC_CLIENT_ID."
        )
    if find_spec("joserfc") is None:
        raise WhodidError("unavailable", "OpenID Connect needs joserfc.", "Install it with: pip install 'whodid[oidc]'")
    if services.provider is None:
        services.provider = Provider(
            issuer=config.oidc_issuer,
            client_id=config.oidc_client_id,
            client_secret=config.oidc_client_secret,
            scopes=config.oidc_scopes,
        )
    provider: Provider = services.provider
    return provider


def _signed_in(services: Services, claims: dict[str, Any], browser: dict[str, Any]) -> tuple[BrowserSession, str]:
    config, directory = services.config, services.directory
    login = claim(claims, config.oidc_login_claim)
    if not isinstance(login, str) or not 1 <= len(login) <= LOGIN_MAX or not login.isprintable():
        raise refused(f"The provider does not tell {config.oidc_login_claim!r}: see WHODID_OIDC_LOGIN_CLAIM.")
    if config.oidc_login_claim == "email" and claims.get("email_verified") is not True:
        raise refused("The provider has not verified the e-mail address.")
    user = directory.identified(
        config.oidc_issuer,
        claims["sub"],
        login=login,
        groups=groups_of(claims, config.oidc_groups_claim),
        friendly_name=_text(claims, "name"),
        first_name=_text(claims, "given_name"),
        last_name=_text(claims, "family_name"),
        email=_text(claims, "email"),
    )
    return directory.open_browser(user.login, way="oidc", **browser)


def _text(claims: dict[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return value[:LOGIN_MAX] if isinstance(value, str) and value.isprintable() else None


def _redirect_uri(request: Req) -> str:
    """The address that the provider sends browsers back to: it has to be registered there."""
    return address_here(request) + CALLBACK


def _sealed(asked: Asked, key: bytes) -> str:
    content = base64.urlsafe_b64encode(msgspec.json.encode(asked)).decode()
    return f"{content}.{_sum(content, key)}"


def _unsealed(services: Services, cookie: str) -> Asked:
    content, _, signature = cookie.partition(".")
    if not hmac.compare_digest(signature.encode(), _sum(content, services.directory.server_key(SERVER_KEY)).encode()):
        raise refused("The sign-in did not begin in this browser.")
    return decode(base64.urlsafe_b64decode(content), Asked)


def _sum(content: str, key: bytes) -> str:
    return hmac.digest(key, b"whodid sign-in v1\0" + content.encode("utf-8", "replace"), hashlib.sha256).hex()


def _cookie(request: Req, value: str, age_s: int) -> str:
    secure = "; Secure" if is_https(request) else ""
    return f"{COOKIE}={value}; Path={CALLBACK}; HttpOnly; SameSite=Lax; Max-Age={age_s}{secure}"
