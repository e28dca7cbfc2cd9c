"""The headers that every answer has, and what pages of other origins may do here: all in one place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from whodid.receive.access import Access
from whodid.receive.answer import Send, request_id
from whodid.receive.cors import answer_preflight, cors_headers

Pairs = tuple[tuple[bytes, bytes], ...]

# Nothing is fetched from elsewhere; what runs and what styles are files of our own, never text of a page.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors {ancestors}"
)
NOBODY: Final = "'none'"

HEADERS: Final[Pairs] = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.format(ancestors=NOBODY).encode()),
    (b"x-content-type-options", b"nosniff"),
    # Not no-referrer: with that, browsers hide from us that a form of our own page was sent.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
_HSTS: Final = (b"strict-transport-security", b"max-age=31536000")

_PREFLIGHT_HEADERS: Final = b"authorization, content-type, x-request-id"
_PREFLIGHT_METHODS: Final = b"GET, POST"


def headers_of(scope: Any, given: Iterable[bytes], access: Access, *, https: bool) -> list[tuple[bytes, bytes]]:
    """What an answer needs besides the header names that it has already."""
    names = set(given)
    more = [pair for pair in HEADERS if pair[0] not in names]
    if b"cache-control" not in names:
        more.append((b"cache-control", b"no-store"))
    if https:
        more.append(_HSTS)
    asked = dict(scope["headers"])
    if b"origin" in asked and b"access-control-allow-origin" not in names:
        more += cors_headers(access, asked)
    return more


def framed_by(origins: Iterable[str]) -> str:
    """The policy of a page that pages of these origins may show in a frame."""
    listed = " ".join(dict.fromkeys(origin for origin in origins if _is_source(origin)))
    return CONTENT_SECURITY_POLICY.format(ancestors=f"'self' {listed}".strip())


def _is_source(origin: str) -> bool:
    return origin == "*" or (origin.isascii() and origin.isprintable() and not set(origin) & set(" ;,'\""))


def is_preflight(scope: Any) -> bool:
    """Whether a browser asks beforehand if a page of another origin may call."""
    return scope["method"] == "OPTIONS" and any(
        name == b"access-control-request-method" for name, _ in scope["headers"]
    )


async def preflight(access: Access, scope: Any, send: Send) -> None:
    """Answer it. Raises WhodidError("forbidden") for an origin that is not allowed."""
    headers = dict(scope["headers"])
    more = cors_headers(access, headers) if b"origin" in headers else ()
    identifier = request_id(headers.get(b"x-request-id"))
    await answer_preflight(
        access, headers, send, identifier, more, allowed_headers=_PREFLIGHT_HEADERS, methods=_PREFLIGHT_METHODS
    )
