"""Signing browsers in: a one-time token (in a link) becomes a browser session (in a cookie)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from sqlalchemy import delete, insert

from whodid.directory import tables
from whodid.directory.database import now, touch
from whodid.directory.model import SCOPES, BrowserSession
from whodid.directory.secret import digest, new_secret
from whodid.directory.snapshot import Watched
from whodid.errors import WhodidError

COOKIE: Final = "whodid_session"
TOKEN_LIFETIME_S: Final = 15 * 60
SESSION_LIFETIME_S: Final = 24 * 3600


class SignIn(Watched):
    """The part of the directory that knows browsers. Only digests of tokens and session secrets are kept."""

    def create_sign_in_token(
        self, user: str | None = None, scopes: Iterable[str] = SCOPES, *, lifetime_s: float = TOKEN_LIFETIME_S
    ) -> str:
        """A token that signs one browser in, once, within `lifetime_s`, as `user` with `scopes`."""
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
                )
            )
        return token

    def sign_in(
        self, token: str, *, address: str | None = None, lifetime_s: float = SESSION_LIFETIME_S
    ) -> tuple[BrowserSession, str]:
        """Use a token up; the session and its secret, which belongs into the cookie `COOKIE`.

        Raises WhodidError("unauthorized") for a token that is unknown, used, or too old.
        """
        tokens, at, secret = tables.sign_in_tokens, now(), new_secret()
        with self.writing() as connection:
            # Deleting it is what makes it single-use: of two at once only one gets the row.
            taken = delete(tokens).where(tokens.c.digest == digest(token)).returning(tokens)
            row = connection.execute(taken).first()
            if row is None or row.expires_at <= at:
                raise WhodidError(
                    "unauthorized",
                    "This sign-in link was used already or is too old.",
                    "Get another: whodid user sign-in, or start the server again.",
                )
            session = BrowserSession(
                id=str(uuid.uuid4()),
                user=row.user,
                scopes=tuple(row.scopes),
                created_at=at,
                expires_at=at + timedelta(seconds=lifetime_s),
                address=address,
            )
            values = {field: getattr(session, field) for field in session.__struct_fields__}
            connection.execute(delete(tables.browser_sessions).where(tables.browser_sessions.c.expires_at <= at))
            connection.execute(insert(tables.browser_sessions).values(values | {"digest": digest(secret)}))
            touch(connection)
        self.refresh()
        return session, secret

    def browser_session(self, secret: str) -> BrowserSession | None:
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

    def sign_out_user(self, login: str) -> None:
        """End all browser sessions of a user, and the links that would begin one."""
        with self.writing() as connection:
            for table in (tables.browser_sessions, tables.sign_in_tokens):
                connection.execute(delete(table).where(table.c.user == login))
            touch(connection)
        self.refresh()
