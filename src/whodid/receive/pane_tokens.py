"""Tokens of panes: short-lived, signed, for the activity and usage of one entity or one user.

A token is `whodid_pane_` + base64url(claims) + `.` + base64url(HMAC-SHA-256 of the claims). Nothing is stored: whoever
has the server key can verify it. It ends with its time, with the key that it was made with, or with the server key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Final, Literal

import msgspec
from msgspec import Struct

from whodid.errors import WhodidError
from whodid.typed import decode

PREFIX: Final = "whodid_pane_"
SERVER_KEY: Final = "pane-tokens"
LIFETIME_S: Final = 10 * 60
LIFETIME_S_MAX: Final = 60 * 60
TOKEN_LENGTH_MAX: Final = 8_000

Part = Literal["activity", "usage"]
PARTS: Final = ("activity", "usage")


class Claims(Struct, kw_only=True, forbid_unknown_fields=True, rename={"expires_at": "exp"}):
    """What a token shows: `parts` of an `entity` (type, id) or of a `user`, until `expires_at` (Unix seconds).

    key_id  the key of the application that made it.
    viewer  the login for whom the application made it, as it says.
    """

    parts: tuple[Part, ...]
    expires_at: int
    key_id: str | None
    entity: tuple[str, str] | None = None
    user: str | None = None
    viewer: str | None = None


def signed(claims: Claims, key: bytes) -> str:
    """The token of these claims."""
    content = msgspec.json.encode(claims)
    return f"{PREFIX}{_text(content)}.{_text(_sum(content, key))}"


def verified(token: str, key: bytes) -> Claims:
    """What a token says.

    Raises
    ------
    WhodidError("unauthorized")
        It was not made with this key, was changed, or is too old.
    """
    content, _, signature = token.removeprefix(PREFIX).partition(".")
    try:
        claims_bytes = _bytes(content)
        fits = len(token) <= TOKEN_LENGTH_MAX and hmac.compare_digest(_bytes(signature), _sum(claims_bytes, key))
        claims = decode(claims_bytes, Claims) if fits else None
    except (ValueError, msgspec.DecodeError):
        claims = None
    if claims is None:
        raise WhodidError("unauthorized", "This pane's token is none of ours.", "Take the token as it came.")
    if claims.expires_at <= time.time():
        raise WhodidError("unauthorized", "This pane's token is too old.", "The application has to make another.")
    return claims


def _sum(content: bytes, key: bytes) -> bytes:
    return hmac.digest(key, b"whodid pane token v1\0" + content, hashlib.sha256)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
