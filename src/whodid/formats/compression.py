"""Plain, gzip and Zstandard bytes: told apart by their first bytes in files, bounded in HTTP bodies."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Iterator
from typing import BinaryIO, Final, cast

import zstandard
from isal import isal_zlib

from whodid.errors import WhodidError
from whodid.formats.pieces import Pieces

GZIP: Final = b"\x1f\x8b"
ZSTANDARD: Final = b"\x28\xb5\x2f\xfd"
_CHUNK_BYTES: Final = 256 * 1024
# A kilobyte of Zstandard can become 32 MB and not more: that bounds each step.
_ZSTANDARD_STEP_BYTES: Final = 1024
_ZSTANDARD_WINDOW_BYTES_MAX: Final = 128 * 1024 * 1024

_Read = Callable[[int], bytes]

# Its type is told as an instance.
_Inflating: Final = cast("type[Exception]", isal_zlib.error)


def compression_of(head: bytes) -> str | None:
    """ "gzip", "zstd" or None, by the first bytes."""
    if head.startswith(GZIP):
        return "gzip"
    return "zstd" if head.startswith(ZSTANDARD) else None


def open_stream(stream: BinaryIO) -> BinaryIO:
    """`stream` decompressed if it is gzip or Zstandard, else as it is.

    Where compressed data is broken or cut off, everything before it is read; the read after that raises
    `WhodidError("invalid")`.
    """
    head = b""
    while len(head) < 4 and (more := stream.read(4 - len(head))):
        head += more
    pieces = _PIECES.get(compression_of(head) or "", _plain)
    return cast("BinaryIO", Pieces(pieces, head, stream))


def decompress(data: bytes, encoding: str, limit_bytes: int) -> bytes:
    """The body of a request as its sender meant it.

    encoding     the header Content-Encoding: "gzip", "x-gzip", "deflate", "zstd", "br", "identity" or "".
    limit_bytes  what it may hold; nothing beyond it is decompressed.

    Raises
    ------
    WhodidError("too_large")
        Permanent: more than `limit_bytes` come out of it.
    WhodidError("invalid")
        Permanent: it is broken, cut off, or something follows it.
    WhodidError("unsupported")
        Permanent: another encoding.
    """
    name = encoding.strip().lower().removeprefix("x-") or "identity"
    if name not in _PIECES:
        raise WhodidError(
            "unsupported",
            f"The body has the encoding {name[:40]!r}.",
            "Send it plain, or as gzip, deflate, zstd or br.",
        )
    return _gathered(_PIECES[name](io.BytesIO(data).read), limit_bytes)


def _gathered(pieces: Iterator[bytes], limit_bytes: int) -> bytes:
    found: list[bytes] = []
    size_bytes = 0
    for piece in pieces:
        size_bytes += len(piece)
        if size_bytes > limit_bytes:
            raise WhodidError(
                "too_large", f"The body holds more than {limit_bytes:,} bytes.", "Send its events in several requests."
            )
        found.append(piece)
    return b"".join(found)


def _plain(read: _Read) -> Iterator[bytes]:
    while data := read(_CHUNK_BYTES):
        yield data


def _gzip(read: _Read) -> Iterator[bytes]:
    data = b""
    while True:
        data = yield from _inflated(read, data, "gzip", 31)
        # Members may follow each other, and tapes are filled up with zeros.
        data = data.lstrip(b"\0")
        while len(data) < len(GZIP) and (more := read(_CHUNK_BYTES)):
            data = (data + more).lstrip(b"\0")
        if not data:
            return
        if not data.startswith(GZIP):
            raise _broken("gzip", "something else follows its end")


def _deflate(read: _Read) -> Iterator[bytes]:
    rest = yield from _inflated(read, b"", "deflate", 15)
    if rest or read(1):
        raise _broken("deflate", "something else follows its end")


def _inflated(read: _Read, data: bytes, kind: str, bits: int) -> Generator[bytes, None, bytes]:
    """One member; returns what follows it."""
    machine = isal_zlib.decompressobj(bits)
    while not machine.eof:
        data = data or read(_CHUNK_BYTES)
        try:
            piece = machine.decompress(data, _CHUNK_BYTES)
        except _Inflating as error:
            raise _broken(kind, str(error)) from None
        if piece:
            yield piece
        elif not data and not machine.eof:
            # It may hold more than it was asked for when all of the input is in it.
            raise _broken(kind, "it is cut off")
        data = machine.unconsumed_tail
    return machine.unused_data


def _zstandard(read: _Read) -> Iterator[bytes]:
    data = b""
    while data := data or read(_ZSTANDARD_STEP_BYTES):
        machine = zstandard.ZstdDecompressor(max_window_size=_ZSTANDARD_WINDOW_BYTES_MAX).decompressobj()
        while not machine.eof:
            data = data or read(_ZSTANDARD_STEP_BYTES)
            if not data:
                raise _broken("zstd", "it is cut off")
            try:
                piece = machine.decompress(data)
            except zstandard.ZstdError as error:
                raise _broken("zstd", str(error)) from None
            data = machine.unused_data
            if piece:
                yield piece


def _brotli(read: _Read) -> Iterator[bytes]:
    try:
        import brotli  # type: ignore[import-untyped]  # it has no stubs
    except ImportError:
        raise WhodidError(
            "unsupported", "The body has the encoding 'br'.", "Install the package brotli here, or send it as gzip."
        ) from None
    machine = brotli.Decompressor()
    data = b""
    while not machine.is_finished():
        if machine.can_accept_more_data():
            data = read(_CHUNK_BYTES)
            if not data:
                raise _broken("br", "it is cut off")
        try:
            piece = machine.process(data, output_buffer_limit=_CHUNK_BYTES)
        except brotli.error as error:
            raise _broken("br", str(error)) from None
        data = b""
        if piece:
            yield piece
    if read(1):
        raise _broken("br", "something else follows its end")


_PIECES: Final[dict[str, Callable[[_Read], Iterator[bytes]]]] = {
    "identity": _plain,
    "gzip": _gzip,
    "deflate": _deflate,
    "zstd": _zstandard,
    "br": _brotli,
}


def _broken(kind: str, why: str) -> WhodidError:
    return WhodidError("invalid", f"The data is no whole {kind}: {why}.", "Get or send it again, whole.")
