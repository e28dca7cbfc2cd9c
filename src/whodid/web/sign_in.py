"""Signing in and out: the form, one-time links, links for another password."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response

from whodid.directory.passwords import LENGTH_MIN
from whodid.directory.sign_in import COOKIE
from whodid.errors import WhodidError
from whodid.web.browsers import address_of, begun, browser_of, end, ended_cookie, form_of, goes_on, happened
from whodid.web.next_page import HOME, next_page
from whodid.web.pages.frame import page
from whodid.web.requests import Req, one, query_of, services_of

_FROM_ELSEWHERE: Final = ("cross-site", "same-site")
_STRANGER: Final = "somebody who is not known"


async def sign_in(request: Req) -> Response[bytes]:
    """The form to sign in with; with `token` the browser of a one-time link is signed in."""
    given = query_of(request, ["token", "next"])
    token, wanted = one(given, "token"), next_page(one(given, "next"))
    if not token:
        return form_page(request, wanted)
    services = services_of(request)
    if request.headers.get("sec-fetch-site") in _FROM_ELSEWHERE or request.cookies.get(COOKIE):
        # Somebody else may have sent this browser here, to make it work under another name.
        who = await services.call(services.directory.token_user, token)
        return page(request, "sign_in_link.html", token=token, link_user=who, next=wanted)
    return await _use_link(request, token, wanted)


async def sign_in_here(request: Req) -> Response[bytes]:
    """Sign in with login and password, or with the link that was looked at."""
    form = await form_of(request)
    wanted = next_page(form.get("next", HOME))
    if form.get("token"):
        return await _use_link(request, form["token"], wanted)
    login, services = form.get("login", "").strip(), services_of(request)
    try:
        user = await services.call(
            services.directory.check_password, login, form.get("password", ""), address=address_of(request)
        )
    except WhodidError as error:
        if error.code not in ("unauthorized", "busy"):
            raise
        await services.call(_note_failure, request, login, error)
        return form_page(request, wanted, error=error, login=login)
    session, secret = await services.call(
        services.directory.open_browser, user.login, way="password", **browser_of(request)
    )
    return goes_on(wanted, await begun(request, session, secret))


async def sign_out(request: Req) -> Response[bytes]:
    """End the session of this browser."""
    await form_of(request)
    services = services_of(request)
    secret = request.cookies.get(COOKIE)
    session = services.directory.browser_session(secret) if secret else None
    if session is not None:
        await services.call(end, services, session, by="sign-out")
    return goes_on("/sign-in", ended_cookie(request))


async def password_form(request: Req) -> Response[bytes]:
    """The form that a link for another password leads to; looking at it does not use the link up."""
    token, services = one(query_of(request, ["token"]), "token"), services_of(request)
    login = await services.call(services.directory.token_user, token, "password")
    return page(request, "password.html", token=token, link_user=login, least=LENGTH_MIN, error=None)


async def choose_password(request: Req) -> Response[bytes]:
    """Choose another password with a one-time link; afterwards one signs in with it."""
    form, services = await form_of(request), services_of(request)
    directory, token = services.directory, form.get("token", "")
    login = await services.call(directory.token_user, token, "password")
    try:
        new = repeated(form)
        await services.call(directory.check_new_password, login or "", new)
    except WhodidError as error:
        if error.code != "invalid":
            raise
        return page(request, "password.html", status=400, token=token, link_user=login, least=LENGTH_MIN, error=error)
    login = await services.call(directory.take_password_token, token)
    await services.call(directory.set_password, login, new, by=login)
    return goes_on("/sign-in", ended_cookie(request))


def repeated(form: dict[str, str]) -> str:
    """The password that a form gives twice. Raises WhodidError("invalid")."""
    new = form.get("new", "")
    if new != form.get("again", ""):
        raise WhodidError("invalid", "The two passwords are not the same.", "Write both again.")
    return new


def form_page(
    request: Req, wanted: str, *, status: int = 200, error: WhodidError | None = None, login: str = ""
) -> Response[bytes]:
    """The form to sign in with, and why it did not work."""
    headers = {}
    if error is not None:
        status = error.kind.status
        headers = {"retry-after": str(error.retry_after_s)} if error.retry_after_s else {}
    content: dict[str, Any] = {"next": wanted, "error": error, "login": login}
    return page(
        request,
        "sign_in.html",
        status=status,
        headers=headers,
        provider=services_of(request).config.oidc_issuer,
        **content,
    )


def sign_in_first(request: Req, error: WhodidError) -> Response[bytes]:
    """What a browser gets that asks for a page before it signed in: the form, which leads on to that page."""
    if request.url.path.startswith("/sign-in"):
        return form_page(request, HOME, error=error)
    query = request.url.query
    return form_page(request, next_page(request.url.path + (f"?{query}" if query else "")), status=401)


async def _use_link(request: Req, token: str, wanted: str) -> Response[bytes]:
    """Use up a one-time token.

    The answer is a page that leads on instead of a redirect: a strict cookie is not sent along a redirect that began
    on another site, such as a mail with the link.
    """
    services = services_of(request)
    session, secret = await services.call(services.directory.sign_in, token, **browser_of(request))
    cookie = await begun(request, session, secret)
    return page(request, "signed_in.html", headers={"set-cookie": cookie}, next=wanted)


def _note_failure(request: Req, login: str, error: WhodidError) -> None:
    """What was typed is told only if it is a login: it may be a password in the wrong field."""
    services = services_of(request)
    known = services.directory.signing_in(login) is not None if login else False
    services.record(
        happened(
            "user-login-failed",
            login if known else _STRANGER,
            way="password",
            address=address_of(request),
            reason=error.message,
            retry_after_s=error.retry_after_s,
        )
    )
