"""What browsers ask before they let a page of another origin send events here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from whodid.errors import WhodidError
from whodid.receive.access import Access
from whodid.receive.answer import Send, request_id, send_error

Pairs = tuple[tuple[bytes, bytes], ...]

ALLOWED_HEADERS: Final = b"authorization, content-type, content-encoding, x-request-id"


def cors_headers(access: Access, headers: Mapping[bytes, bytes]) -> Pairs:
    """The headers of an answer to a request that says its origin."""
    origin = headers[b"origin"]
    if not access.allows_origin(origin):
        return ((b"vary", b"origin"),)
    return (
        (b"vary", b"origin"),
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", b"x-request-id, retry-after"),
    )


async def answer_preflight(
    access: Access,
    headers: Mapping[bytes, bytes],
    send: Send,
    identifier: bytes,
    more: Sequence[tuple[bytes, bytes]],
    *,
    allowed_headers: bytes = ALLOWED_HEADERS,
    methods: bytes = b"POST",
) -> None:
    """Answer OPTIONS. Raises WhodidError("forbidden") for an origin that is not allowed."""
    if b"origin" in headers:
        access.refuse_foreign_origin(headers)
    allowed = [
        (b"allow", methods + b", OPTIONS"),
        (b"access-control-allow-methods", methods),
        (b"access-control-allow-headers", allowed_headers),
        (b"access-control-max-age", b"600"),
        (b"x-request-id", identifier),
        *more,
    ]
    await send({"type": "http.response.start", "status": 204, "headers": allowed})
    await send({"type": "http.response.body", "body": b""})


class Preflight:
    """Answers OPTIONS for a path whose other methods are answered elsewhere."""

    def __init__(self, access: Access, *, methods: bytes):
        self._access = access
        self._methods = methods

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        identifier = request_id(headers.get(b"x-request-id"))
        more = cors_headers(self._access, headers) if b"origin" in headers else ()
        try:
            await answer_preflight(
                self._access,
                headers,
                send,
                identifier,
                more,
                allowed_headers=ALLOWED_HEADERS + b", if-none-match",
                methods=self._methods,
            )
        except WhodidError as error:
            await send_error(send, error, identifier, more)
