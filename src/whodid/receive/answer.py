"""What a request is answered: the summary of a post, or an error in the one shape of errors."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from whodid.errors import CODES, WhodidError
from whodid.event import Rejection

Send = Callable[[dict[str, Any]], Awaitable[None]]

# The key among the ASGI scope's extensions of a function that takes a whole answer's bytes: see `protocol`.
AT_ONCE: Final = "whodid.answer"

_WHOLE: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\nx-request-id: %b\r\n\r\n%b"
_JSON: Final = (b"content-type", b"application/json")
_REQUEST_ID: Final = re.compile(rb"[\x21-\x7e]{1,128}\Z")
_numbers: Final = itertools.count(1)
_prefix: Final = os.urandom(6).hex().encode()


def request_id(given: bytes | None) -> bytes:
    """The sender's X-Request-Id if it is 1 to 128 visible ASCII characters, else one of our own."""
    if given is not None and _REQUEST_ID.match(given):
        return given
    return b"%s-%x" % (_prefix, next(_numbers))


def error_body(error: WhodidError, identifier: bytes) -> dict[str, Any]:
    """The shape that errors have everywhere."""
    return {
        "error": {
            "code": error.code,
            "message": error.message,
            "hint": error.hint,
            "request_id": identifier.decode(),
        }
    }


def summary(accepted: int, duplicates: int, rejects: Sequence[Rejection], filtered: int = 0) -> bytes:
    """The answer to a post."""
    if not rejects:
        return b'{"accepted":%d,"duplicates":%d,"filtered":%d,"rejected":[]}' % (accepted, duplicates, filtered)
    return msgspec.json.encode(
        {
            "accepted": accepted,
            "duplicates": duplicates,
            "filtered": filtered,
            "rejected": [{"index": each.index, "code": each.code, "message": each.message} for each in rejects],
        }
    )


def nothing_accepted(rejects: Sequence[Rejection]) -> WhodidError:
    """The error of a request of which every event was rejected; its code is theirs if it is one of `CODES`."""
    codes = {each.code for each in rejects}
    code = codes.pop() if len(codes) == 1 else "invalid"
    message = rejects[0].message if len(rejects) == 1 else f"All {len(rejects):,} events were rejected."
    hint = "It is kept with its reason and can be replayed: mend it, or send events as the API's description shows."
    return WhodidError(code if code in CODES else "invalid", message, hint)


def send_at_once(scope: Mapping[str, Any], body: bytes, identifier: bytes) -> bool:
    """Send a 200 in one piece, past the checks that any answer needs; False when it has to go the usual way."""
    extensions = scope.get("extensions")
    if extensions is None or (send := extensions.get(AT_ONCE)) is None:
        return False
    return bool(send(whole(body, identifier)))


def whole(body: bytes, identifier: bytes) -> bytes:
    """The bytes of a 200, head and body."""
    return _WHOLE % (len(body), identifier, body)


async def send_json(
    send: Send, status: int, body: bytes, identifier: bytes, more: Sequence[tuple[bytes, bytes]] = ()
) -> None:
    """Send a JSON body with its length and the request's id."""
    headers = [_JSON, (b"content-length", b"%d" % len(body)), (b"x-request-id", identifier), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_error(
    send: Send,
    error: WhodidError,
    identifier: bytes,
    more: Sequence[tuple[bytes, bytes]] = (),
    *,
    rejects: Sequence[Rejection] = (),
) -> None:
    """Send an error; with `rejects` also which events were rejected, so that a client finds both where it looks."""
    body = error_body(error, identifier)
    if rejects:
        body |= msgspec.json.decode(summary(0, 0, rejects))
    headers = list(more)
    if error.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % error.retry_after_s))
    elif error.code in ("busy", "unavailable"):
        headers.append((b"retry-after", b"1"))
    if error.code == "unauthorized":
        headers.append((b"www-authenticate", b"Bearer"))
    await send_json(send, error.kind.status, msgspec.json.encode(body), identifier, headers)
