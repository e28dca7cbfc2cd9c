"""Secrets that programs and browsers carry: made at random, shown once, kept as a digest."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

PREFIX: Final = "whodid_"
RANDOM_BYTES: Final = 24
SHOWN: Final = len(PREFIX) + 6


def new_secret() -> str:
    """`whodid_` and 192 random bits in hex: no sign in it that a shell, a URL or a double click would break."""
    return PREFIX + secrets.token_hex(RANDOM_BYTES)


def digest(secret: str | bytes) -> bytes:
    """What is stored of a secret: its SHA-256.

    A slow password hash protects what people choose, because that can be guessed; 192 random bits cannot, so one
    SHA-256 is as safe, and cheap enough to verify with every request.
    """
    return hashlib.sha256(secret if isinstance(secret, bytes) else secret.encode()).digest()
