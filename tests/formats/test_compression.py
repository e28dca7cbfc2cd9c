"""Compressed files and bodies: told apart by their bytes, bounded, and clear about what is broken."""

from __future__ import annotations

import gzip
import io
import zlib

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard

from whodid.errors import WhodidError
from whodid.formats.compression import decompress, open_stream

DATA = b"".join(b'{"type":"login","n":%d}\n' % (number * number) for number in range(5000))
PACKED = {"gzip": gzip.compress(DATA), "zstd": zstandard.compress(DATA), "deflate": zlib.compress(DATA)}
PACKED["br"] = brotli.compress(DATA)


@pytest.mark.parametrize(
    ("data", "expected"),
    [(DATA, DATA), (PACKED["gzip"], DATA), (PACKED["zstd"], DATA), (b"", b""), (b"x", b"x"), (gzip.compress(b""), b"")],
    ids=["plain", "gzip", "zstd", "empty", "one byte", "empty gzip"],
)
def test_files_are_opened_by_their_first_bytes(data: bytes, expected: bytes) -> None:
    with open_stream(io.BytesIO(data)) as stream:
        assert stream.read(7) + stream.read() == expected
        assert stream.read(1) == b""
    with open_stream(io.BytesIO(data)) as stream:
        assert stream.readlines() == expected.splitlines(keepends=True)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_members_that_follow_each_other_are_one_file(kind: str) -> None:
    with open_stream(io.BytesIO(PACKED[kind] * 3)) as stream:
        assert stream.read() == DATA * 3


def test_zeros_behind_a_gzip_file_are_passed_over() -> None:
    assert open_stream(io.BytesIO(PACKED["gzip"] + bytes(1000))).read() == DATA


@pytest.mark.parametrize("size_bytes", [0, 1, 64 * 1024, 256 * 1024, 256 * 1024 + 1, 3_000_000])
def test_what_is_packed_to_almost_nothing_comes_out_whole(size_bytes: int) -> None:
    data = b"a" * size_bytes
    assert open_stream(io.BytesIO(gzip.compress(data))).read() == data
    assert decompress(gzip.compress(data), "gzip", size_bytes) == data
    assert decompress(zlib.compress(data), "deflate", size_bytes) == data


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
@pytest.mark.parametrize("size_bytes", [100, 64 * 1024, -1])
def test_of_a_file_that_is_cut_off_the_beginning_is_read_before_it_fails(kind: str, size_bytes: int) -> None:
    noise = b"".join(bytes([number * number % 251]) * (number % 7 + 1) for number in range(200_000))
    packed = gzip.compress(noise) if kind == "gzip" else zstandard.compress(noise)
    stream = open_stream(io.BytesIO(packed[:-9]))
    found = b""
    with pytest.raises(WhodidError, match="cut off") as caught:
        while data := stream.read(size_bytes):
            found += data
    assert caught.value.code == "invalid"
    assert noise.startswith(found)
    assert len(found) > len(noise) // 2


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "deflate", "br", "GZIP ", "x-gzip"])
def test_bodies_are_decompressed(encoding: str) -> None:
    packed = PACKED[encoding.strip().lower().removeprefix("x-")]
    assert decompress(packed, encoding, len(DATA)) == DATA


@pytest.mark.parametrize("encoding", ["", "identity"])
def test_plain_bodies_are_taken_as_they_are(encoding: str) -> None:
    assert decompress(DATA, encoding, len(DATA)) == DATA
    with pytest.raises(WhodidError, match="more than 10 bytes"):
        decompress(DATA, encoding, 10)


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "deflate", "br"])
@pytest.mark.parametrize("harm", ["cut", "trailing", "changed", "empty", "other"])
def test_broken_bodies_are_invalid(encoding: str, harm: str) -> None:
    packed = PACKED[encoding]
    middle = len(packed) // 2
    broken = {
        "cut": packed[:-3],
        "trailing": packed + b"trailing",
        "changed": packed[:middle] + b"\xff\x00\xff\x00" + packed[middle + 4 :],
        "empty": b"",
        "other": b"plain text",
    }[harm]
    if (encoding, harm) == ("zstd", "empty"):
        assert decompress(broken, encoding, 10) == b""
        return
    with pytest.raises(WhodidError) as caught:
        decompress(broken, encoding, 10**9)
    assert caught.value.code == "invalid"


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "deflate", "br"])
def test_a_bomb_is_refused_at_the_limit(encoding: str) -> None:
    zeros = bytes(64 * 1024 * 1024)
    bombs = {"gzip": lambda: gzip.compress(zeros), "zstd": lambda: zstandard.compress(zeros)}
    bombs["br"] = lambda: brotli.compress(zeros, quality=1)
    bomb = bombs.get(encoding, lambda: zlib.compress(zeros))()
    with pytest.raises(WhodidError, match="1,000,000 bytes") as caught:
        decompress(bomb, encoding, 1_000_000)
    assert caught.value.code == "too_large"


def test_other_encodings_are_unsupported() -> None:
    with pytest.raises(WhodidError, match="'compress'") as caught:
        decompress(b"", "compress", 10)
    assert caught.value.code == "unsupported"
