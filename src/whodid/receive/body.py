"""The body of a request: its limits, its encoding, its media type."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from whodid.errors import WhodidError
from whodid.event import REQUEST_BYTES_MAX
from whodid.formats.native import Media

Receive = Callable[[], Awaitable[Mapping[str, Any]]]

# What all requests together may hold in memory.
BYTES_IN_FLIGHT_MAX: Final = 256 * 1024 * 1024

# Text comes from `navigator.sendBeacon`, which sends nothing else without asking first.
MEDIA: Final[dict[str, Media]] = {
    "": "json",
    "application/json": "json",
    "text/json": "json",
    "text/plain": "json",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/x-jsonlines": "ndjson",
    "application/jsonlines": "ndjson",
}


class Disconnected(Exception):
    """The client went away before its request was complete."""


class InFlight:
    """Counts the bytes that requests hold, so that many at once cannot fill the memory."""

    def __init__(self, bytes_max: int = BYTES_IN_FLIGHT_MAX):
        self.bytes_max = bytes_max
        self.held_bytes = 0

    def take(self, size_bytes: int) -> None:
        """Raises WhodidError("busy") when it would be too much; then nothing was taken."""
        if self.held_bytes + size_bytes > self.bytes_max:
            raise WhodidError(
                "busy",
                f"Requests in work hold {self.held_bytes:,} of {self.bytes_max:,} bytes.",
                "Send it again in a moment; fewer or smaller requests at once go through.",
                retry_after_s=1,
            )
        self.held_bytes += size_bytes

    def give(self, size_bytes: int) -> None:
        self.held_bytes -= size_bytes


def too_large(size: str) -> WhodidError:
    return WhodidError(
        "too_large",
        f"The request is {size}; {REQUEST_BYTES_MAX:,} bytes after decompression are the limit.",
        "Send the events in several requests.",
    )


def media_of(content_type: bytes) -> Media:
    """The media that a Content-Type names. Raises WhodidError("unsupported")."""
    name, _, options = content_type.decode("latin-1").lower().partition(";")
    media = MEDIA.get(name.strip())
    charset = options.partition("charset=")[2].strip().strip('"')
    if media is None or charset not in ("", "utf-8", "utf8", "us-ascii"):
        raise WhodidError(
            "unsupported",
            f"Events cannot be read from {content_type.decode('latin-1')[:200]!r}.",
            "Send 'Content-Type: application/json' or 'application/x-ndjson', in UTF-8.",
        )
    return media


def declared_size(headers: Mapping[bytes, bytes]) -> int:
    """What Content-Length says, 0 without one; raises WhodidError("too_large") before anything is read."""
    given = headers.get(b"content-length")
    size_bytes = int(given) if given is not None and given.isdigit() else 0
    if size_bytes > REQUEST_BYTES_MAX:
        raise too_large(f"{size_bytes:,} bytes")
    return size_bytes


async def read_rest(first: bytes, receive: Receive, in_flight: InFlight) -> bytes:
    """The whole body, of which `first` has come and is counted; the caller gives back the bytes of what it gets.

    Raises Disconnected, WhodidError("too_large"), WhodidError("busy"); then only `first` is still counted.
    """
    parts = [first]
    size_bytes = len(first)
    try:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            part = message.get("body", b"")
            if size_bytes + len(part) > REQUEST_BYTES_MAX:
                raise too_large(f"more than {REQUEST_BYTES_MAX:,} bytes")
            in_flight.take(len(part))
            size_bytes += len(part)
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)
    except BaseException:
        in_flight.give(size_bytes - len(first))
        raise
