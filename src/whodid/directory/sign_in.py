"""Signing browsers in: what proves who somebody is becomes a browser session (in a cookie).

A proof is a one-time token (in a link), a password (`passwords.py`) or what an identity provider says
(`identities.py`). Only digests of tokens and session secrets are kept.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select

from whodid.directory import tables
from whodid.directory.database import now, touch
from whodid.directory.model import SCOPES, BrowserSession, User
from whodid.directory.secret import digest, new_secret
from whodid.directory.users import Users
from whodid.errors import WhodidError

COOKIE: Final = "whodid_session"
TOKEN_LIFETIME_S: Final = 15 * 60
SESSION_LIFETIME_S: Final = 24 * 3600
PASSWORD_TOKEN_LIFETIME_S: Final = 24 * 3600

# What a token is for besides signing in.
PASSWORD: Final = "password"  # noqa: S105 (no secret)
TEXT_MAX: Final = 500


class SignIn(Users):
    """The part of the directory that knows browsers."""

    def create_sign_in_token(
        self,
        user: str | None = None,
        scopes: Iterable[str] = SCOPES,
        *,
        lifetime_s: float = TOKEN_LIFETIME_S,
        purpose: str | None = None,
    ) -> str:
        """A token that signs one browser in, once, within `lifetime_s`, as `user`.

        scopes   what the browser may do; none: what the roles of the user say.
        purpose  `PASSWORD`: it is for choosing another password instead.
        """
        token = new_secret()
        at = now()
        with self.writing() as connection:
            connection.execute(delete(tables.sign_in_tokens).where(tables.sign_in_tokens.c.expires_at <= at))
            connection.execute(
                insert(tables.sign_in_tokens).values(
                    digest=digest(token),
                    user=user,
                    scopes=list(scopes),
                    expires_at=at + timedelta(seconds=lifetime_s),
                    purpose=purpose,
                )
            )
        return token

    def sign_in(self, token: str, **browser: Any) -> tuple[BrowserSession, str]:
        """Use a token up; the session and its secret, which belongs into the cookie `COOKIE`.

        browser  as in `open_browser`.
        Raises   WhodidError("unauthorized") for a token that is unknown, used, or too old, WhodidError("forbidden")
                 for a user who may not sign in.
        """
        with self.writing() as connection:
            row = self._take_token(connection, token, None)
            if row.user is not None:
                self._refuse_inactive(connection, row.user)
            opened = self._open(connection, row.user, tuple(row.scopes), way="link", **browser)
        self.refresh()
        return opened

    def open_browser(self, user: str, *, way: str, **browser: Any) -> tuple[BrowserSession, str]:
        """A session of a user who has proven who it is; its roles say what it may.

        way      "password" or "oidc".
        browser  `address` and `user_agent`; `lifetime_s`, after which it ends, and `idle_ms`, silence that ends it.
        Returns  the session and its secret, which belongs into the cookie `COOKIE`.
        """
        with self.writing() as connection:
            self._refuse_inactive(connection, user)
            opened = self._open(connection, user, (), way=way, **browser)
        self.refresh()
        return opened

    def token_user(self, token: str, purpose: str | None = None) -> str | None:
        """Whose a valid token is, without using it up. Raises unauthorized."""
        tokens = tables.sign_in_tokens.c
        with self.reading() as connection:
            row = connection.execute(
                select(tokens.user, tokens.expires_at).where(
                    tokens.digest == digest(token), tokens.purpose.is_not_distinct_from(purpose)
                )
            ).first()
        if row is None or row.expires_at <= now():
            raise _used_up()
        user: str | None = row.user
        return user

    def take_password_token(self, token: str) -> str:
        """Use up a token for choosing a password; returns whose it is. Raises unauthorized."""
        with self.writing() as connection:
            return str(self._take_token(connection, token, PASSWORD).user)

    def browser_session(self, secret: str | bytes) -> BrowserSession | None:
        """The valid session of a cookie, from memory."""
        return self.snapshot.sessions.get(digest(secret))

    def browser_sessions(self) -> list[BrowserSession]:
        """The browsers that are signed in, the newest first."""
        return sorted(self.refresh().sessions.values(), key=lambda session: session.created_at, reverse=True)

    def sign_out(self, session_id: str) -> None:
        """End a browser session; an unknown one is over already."""
        sessions = tables.browser_sessions
        with self.writing() as connection:
            connection.execute(delete(sessions).where(sessions.c.id == session_id))
            touch(connection)
        self.refresh()

    def signing_in(self, login: str) -> User | None:
        """The user of a login who may sign in; None when there is none."""
        try:
            with self.reading() as connection:
                self._refuse_inactive(connection, login)
                return self._user(connection, login)
        except WhodidError as error:
            if error.code not in ("not_found", "forbidden"):
                raise
            return None

    def _refuse_inactive(self, connection: Connection, login: str) -> None:
        """Raises forbidden for a user that was deactivated."""

    def _open(
        self,
        connection: Connection,
        user: str | None,
        scopes: tuple[str, ...],
        *,
        way: str,
        address: str | None = None,
        user_agent: str | None = None,
        lifetime_s: float = SESSION_LIFETIME_S,
        idle_ms: int | None = None,
    ) -> tuple[BrowserSession, str]:
        at, secret = now(), new_secret()
        session = BrowserSession(
            id=str(uuid.uuid4()),
            user=user,
            scopes=scopes,
            created_at=at,
            expires_at=at + timedelta(seconds=lifetime_s),
            address=address,
            way=way,
            user_agent=user_agent[:TEXT_MAX] if user_agent else None,
            last_seen_at=at,
            idle_ms=idle_ms,
        )
        values = {field: getattr(session, field) for field in session.__struct_fields__}
        connection.execute(delete(tables.browser_sessions).where(tables.browser_sessions.c.expires_at <= at))
        connection.execute(insert(tables.browser_sessions).values(values | {"digest": digest(secret)}))
        touch(connection)
        return session, secret

    @staticmethod
    def _take_token(connection: Connection, token: str, purpose: str | None) -> Any:
        tokens, at = tables.sign_in_tokens, now()
        wanted = (tokens.c.digest == digest(token)) & tokens.c.purpose.is_not_distinct_from(purpose)
        # Deleting it is what makes it single-use: of two at once only one gets the row.
        row = connection.execute(delete(tokens).where(wanted).returning(tokens)).first()
        if row is None or row.expires_at <= at:
            raise _used_up()
        return row


def _used_up() -> WhodidError:
    return WhodidError(
        "unauthorized",
        "This sign-in link was used already or is too old.",
        "Get another: whodid user sign-in, or start the server again.",
    )
