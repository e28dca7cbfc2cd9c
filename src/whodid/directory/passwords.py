"""Passwords: only their argon2 hash is kept; guessing is slow, and the same for users that there are not."""

from __future__ import annotations

import threading
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, delete, select

from whodid.directory import tables
from whodid.directory.attempts import Attempts
from whodid.directory.database import now, touch
from whodid.directory.model import User
from whodid.directory.secret import new_secret
from whodid.directory.sign_in import SignIn
from whodid.directory.users import Users
from whodid.errors import WhodidError
from whodid.event import Entity

if TYPE_CHECKING:
    from argon2 import PasswordHasher

LENGTH_MIN: Final = 12
LENGTH_MAX: Final = 1_000
DISTINCT_MIN: Final = 5

# Each hash takes 64 MiB while it is made.
_HASHING: Final = threading.BoundedSemaphore(2)


class Passwords(Attempts, SignIn, Users):
    """The part of the directory that knows passwords."""

    def set_password(self, login: str, password: str, *, by: str | None = None, keep: str | None = None) -> None:
        """Give a user a password; its browsers but the session `keep` are signed out, its open links end.

        Raises
        ------
        WhodidError("invalid")
            It is too short, too long, or too easy to guess.
        WhodidError("not_found")
            There is no such user.
        """
        user = self.user(login)
        hashed = _hashed(_checked(password, user))
        with self.writing() as connection:
            fields = {"hash": hashed, "changed_at": now()}
            put = self.insert(tables.passwords).values(user_id=user.id, **fields)
            connection.execute(put.on_conflict_do_update(index_elements=["user_id"], set_=fields))
            browsers, tokens = tables.browser_sessions, tables.sign_in_tokens
            others = (browsers.c.user == user.login) & (browsers.c.id != (keep or ""))
            connection.execute(delete(browsers).where(others if keep else browsers.c.user == user.login))
            connection.execute(delete(tokens).where(tokens.c.user == user.login))
            touch(connection)
            self.announce("password-changed", _entity(user), by=by)
        self.refresh()

    def check_new_password(self, login: str, password: str) -> None:
        """Raises what `set_password` would, and changes nothing."""
        _checked(password, self.user(login))

    def remove_password(self, login: str, *, by: str | None = None) -> None:
        """Take a user's password away: it signs in another way, or not at all. Raises not_found."""
        user = self.user(login)
        with self.writing() as connection:
            connection.execute(delete(tables.passwords).where(tables.passwords.c.user_id == user.id))
            touch(connection)
            self.announce("password-removed", _entity(user), by=by)
        self.refresh()

    def has_password(self, login: str) -> bool:
        """Whether a user can sign in with a password."""
        with self.reading() as connection:
            return _hash_of(connection, login) is not None

    def check_password(self, login: str, password: str, *, address: str | None = None) -> User:
        """The user of a login and password.

        Raises
        ------
        WhodidError("unauthorized")
            It is wrong, or there is no such user: which one is not told, neither by words nor by time.
        WhodidError("busy")
            Too many failed for this account or address; it says how long to wait.
        """
        self.attempt(login, address)
        with self.reading() as connection:
            hashed = _hash_of(connection, login)
        fits = _fits(hashed or _nobodys_hash(), password) and hashed is not None
        user = self.signing_in(login) if fits else None
        if user is None or hashed is None:
            raise WhodidError("unauthorized", "Login and password do not fit.", "Both count: see how they are written.")
        self.attempt_succeeded(login, address)
        if _hasher().check_needs_rehash(hashed):
            self._rehash(user, hashed, password)
        return user

    def _rehash(self, user: User, hashed: str, password: str) -> None:
        passwords, better = tables.passwords, _hashed(_normal(password))
        with self.writing() as connection:
            same = (passwords.c.user_id == user.id) & (passwords.c.hash == hashed)
            connection.execute(passwords.update().where(same).values(hash=better))


def _hash_of(connection: Connection, login: str) -> str | None:
    passwords, users = tables.passwords, tables.users
    wanted = select(passwords.c.hash).join(users, users.c.id == passwords.c.user_id).where(users.c.login == login)
    found: str | None = connection.execute(wanted).scalar()
    return found


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _nobodys_hash() -> str:
    """What the password of a user that there is not is compared with."""
    return _hashed(new_secret())


def _hashed(password: str) -> str:
    with _HASHING:
        return _hasher().hash(password)


def _fits(hashed: str, password: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError

    if len(password) > LENGTH_MAX:
        password = ""
    try:
        with _HASHING:
            return _hasher().verify(hashed, _normal(password))
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False


def _normal(password: str) -> str:
    """One form of text that keyboards and systems write differently."""
    return unicodedata.normalize("NFKC", password)


def _checked(password: str, user: User) -> str:
    text = _normal(password)
    if not LENGTH_MIN <= len(text) <= LENGTH_MAX or any(0xD800 <= ord(sign) < 0xE000 for sign in text):
        raise WhodidError(
            "invalid", f"A password has {LENGTH_MIN} to {LENGTH_MAX:,} characters.", "A sentence is easy to remember."
        )
    known = [user.login, user.email or "", (user.email or "").partition("@")[0], "whodid", "password"]
    rest = text.casefold()
    for word in sorted((word.casefold() for word in known if len(word) >= 4), key=len, reverse=True):
        rest = rest.replace(word, "")
    if len(set(text)) < DISTINCT_MIN or len(rest) < LENGTH_MIN // 2:
        raise WhodidError("invalid", "This password is easy to guess.", "Take one without your name and repetitions.")
    return text


def _entity(user: User) -> Entity:
    return Entity(type="user", id=user.id, name=user.login)
