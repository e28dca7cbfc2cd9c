"""One's own account: who one is here, where one is signed in, one's password; and for administrators everybody's."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response
from msgspec import Struct

from whodid.directory.model import BrowserSession
from whodid.directory.passwords import LENGTH_MIN
from whodid.directory.sign_in import PASSWORD, PASSWORD_TOKEN_LIFETIME_S
from whodid.errors import WhodidError
from whodid.receive.access import Caller
from whodid.web.answers import json_answer
from whodid.web.browsers import address_of, end, form_of, goes_on, happened, session_of
from whodid.web.pages.frame import page
from whodid.web.requests import Req, address_here, body_of, caller_of, name_of, one, query_of, segments, services_of
from whodid.web.services import Services
from whodid.web.sign_in import repeated


class NewPassword(Struct, kw_only=True, forbid_unknown_fields=True):
    """A password for a user."""

    password: str


async def me(request: Req) -> Response[bytes]:
    """Who asks, its roles, what it may do, and what it may see."""
    query_of(request, [])
    caller = caller_of(request)
    seen = caller.sight
    return json_answer(
        {
            "name": name_of(caller),
            "user": caller.user,
            "scopes": sorted(caller.scopes),
            "roles": list(caller.roles),
            "sees": msgspec.to_builtins(seen),
        }
    )


async def account(request: Req) -> Response[bytes]:
    """The page of one's own account."""
    query_of(request, [])
    return await _account_page(request)


async def change_password(request: Req) -> Response[bytes]:
    """Change one's own password: who knows the one before may. Other browsers of the user are signed out."""
    form, services, caller = await form_of(request), services_of(request), caller_of(request)
    login = _signed_in_user(caller)
    directory = services.directory
    try:
        new = repeated(form)
        await services.call(directory.check_new_password, login, new)
        await services.call(directory.check_password, login, form.get("current", ""), address=address_of(request))
    except WhodidError as error:
        if error.code not in ("invalid", "unauthorized", "busy"):
            raise
        if error.code == "unauthorized":
            failed = happened("user-login-failed", login, way="password change", address=address_of(request))
            await services.call(services.record, failed)
            error = WhodidError("forbidden", "The present password is another one.", "Write it again.")
        return await _account_page(request, error=error)
    await services.call(directory.set_password, login, new, by=login, keep=caller.session_id)
    return goes_on("/account")


async def end_sign_in_here(request: Req) -> Response[bytes]:
    """End one of one's own sessions, from the page."""
    await form_of(request)
    await _end(request, segments(request)[2])
    return goes_on("/account")


async def list_sign_ins(request: Req) -> Response[bytes]:
    """The browsers that one is signed in with; for administrators with `all=1` everybody's, or those of `user`."""
    given, services, caller = query_of(request, ["user", "all"]), services_of(request), caller_of(request)
    user, everybody = one(given, "user"), one(given, "all") == "1"
    if "admin" not in caller.scopes and (everybody or user not in ("", caller.user)):
        raise WhodidError("forbidden", "Only administrators see where others are signed in.", "Leave it out.")
    found = await services.call(services.directory.browser_sessions)
    if not everybody:
        found = [session for session in found if _is_of(session, caller, user)]
    return json_answer({"sign_ins": [_shown(session, caller) for session in found]})


async def end_sign_in(request: Req) -> Response[bytes]:
    """End the session of a browser: one's own, or for administrators anybody's."""
    ended = await _end(request, segments(request)[2])
    return json_answer(_shown(ended, caller_of(request)))


async def set_password(request: Req) -> Response[bytes]:
    """Give a user a password; its browsers are signed out."""
    new, services, login = await body_of(request, NewPassword), services_of(request), segments(request)[2]
    await services.call(services.directory.set_password, login, new.password, by=name_of(caller_of(request)))
    return json_answer({"changed": login})


async def remove_password(request: Req) -> Response[bytes]:
    """Take a user's password away: it signs in another way, or not at all."""
    services, login = services_of(request), segments(request)[2]
    await services.call(services.directory.remove_password, login, by=name_of(caller_of(request)))
    return json_answer({"removed": login})


async def password_link(request: Req) -> Response[bytes]:
    """A link with which a user chooses a password itself, once, within a day."""
    link = await password_link_of(request, segments(request)[2])
    return json_answer({"link": link, "lifetime_s": PASSWORD_TOKEN_LIFETIME_S}, status=201)


async def password_link_of(request: Req, login: str) -> str:
    """Make such a link; an event tells of it. Raises not_found for an unknown user."""
    services = services_of(request)
    token = await services.call(_password_token, services, login, name_of(caller_of(request)))
    return f"{address_here(request)}/password?token={token}"


def _password_token(services: Services, login: str, by: str) -> str:
    user = services.directory.user(login)
    token = services.directory.create_sign_in_token(
        user.login, (), lifetime_s=PASSWORD_TOKEN_LIFETIME_S, purpose=PASSWORD
    )
    services.record(happened("password-link-made", by, of=user.login))
    return token


async def _account_page(request: Req, *, error: WhodidError | None = None) -> Response[bytes]:
    services, caller = services_of(request), caller_of(request)
    found = await services.call(services.directory.browser_sessions)
    has_password = caller.user is not None and await services.call(services.directory.has_password, caller.user)
    return page(
        request,
        "account.html",
        status=error.kind.status if error else 200,
        error=error,
        caller=caller,
        least=LENGTH_MIN,
        has_password=has_password,
        can_sign_out=session_of(request, caller) is not None,
        sign_ins=[_shown(session, caller) for session in found if _is_of(session, caller, "")],
    )


async def _end(request: Req, session_id: str) -> BrowserSession:
    services, caller = services_of(request), caller_of(request)
    found = await services.call(services.directory.browser_sessions)
    for session in found:
        if session.id == session_id and ("admin" in caller.scopes or _is_of(session, caller, "")):
            await services.call(end, services, session, by=name_of(caller))
            return session
    raise WhodidError("not_found", "There is no such sign-in.", "It may have ended: see /v1/sign-ins.")


def _is_of(session: BrowserSession, caller: Caller, user: str) -> bool:
    """Whether a session belongs to `user`, or with "" to who asks."""
    if user:
        return session.user == user
    return session.id == caller.session_id or (caller.user is not None and session.user == caller.user)


def _shown(session: BrowserSession, caller: Caller) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.structs.asdict(session)
    return {**plain, "this": session.id == caller.session_id}


def _signed_in_user(caller: Caller) -> str:
    if caller.user is None or caller.session_id is None:
        raise WhodidError("forbidden", "Nobody in particular is signed in here.", "Sign in as a user.")
    return caller.user
