"""Which format a file has, by its lines and by its name."""

from __future__ import annotations

import bz2
import codecs
import io
import lzma
import tarfile
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.dss import APINODE, BARE, EVENT_SERVER, LOG4J, line
from whodid import formats
from whodid.errors import WhodidError
from whodid.formats.sniffing import is_spread, refuse_without_lines


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (line(LOG4J), "dss-log4j"),
        (b"garbage\n" + line(LOG4J) + b"\n{", "dss-log4j"),
        (b"\xef\xbb\xbf" + line(EVENT_SERVER), "dss-event-server"),
        (line(APINODE), "dss-apinode"),
        (line(BARE), "dss-bare"),
        (b'{"type":"login"}', "native"),
        (b'{"id":"1","time":"2026-05-01T10:00:00Z","type":"login"', None),
        (b"", None),
        (b"a,b\n1,2", None),
    ],
)
def test_formats_are_known_by_their_lines(head: bytes, name: str | None) -> None:
    if name is None:
        with pytest.raises(WhodidError, match="--format"):
            formats.sniff(head)
    else:
        assert formats.sniff(head) == name


def test_formats_are_known_by_their_files_where_lines_tell_nothing() -> None:
    assert formats.sniff(b"{}", "/run/audit/audit.log.3.gz") == "dss-log4j"
    assert formats.sniff(b"", "queries.log") == "dss-apinode"


def packed(mode: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:  # type: ignore[call-overload]  # any mode
        archive.add(__file__, "audit.log")
    return made.getvalue()


def zipped() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("audit.log", line(LOG4J))
    return made.getvalue()


def as_parquet() -> bytes:
    made = io.BytesIO()
    pq.write_table(pa.table({"type": ["login"]}), made)
    return made.getvalue()


@pytest.mark.parametrize(
    ("whole", "said"),
    [
        ('{"type":"login"}\n'.encode("utf-16"), "is UTF-16. Turn it into UTF-8: iconv"),
        (codecs.BOM_UTF16_BE + '{"type":"login"}\n'.encode("utf-16-be"), "is UTF-16. Turn it into UTF-8: iconv"),
        (packed("w"), "is a tar archive. Unpack it"),
        (zipped(), "is a zip archive. Unpack it"),
        (bz2.compress(line(LOG4J)), "is packed by bzip2. Unpack it first: bunzip2 FILE"),
        (lzma.compress(line(LOG4J)), "is packed by xz. Unpack it first: unxz FILE"),
        (as_parquet(), "is Parquet. Make lines of it first: duckdb"),
    ],
)
def test_files_without_lines_say_how_to_make_some(whole: bytes, said: str) -> None:
    with pytest.raises(WhodidError) as caught:
        refuse_without_lines(whole, "audit.log")
    assert str(caught.value).startswith(f"audit.log {said}")


@pytest.mark.parametrize("head", [b"", b'{"type":"login"}', b"PK", b"BZ", line(LOG4J) + b"ustar"])
def test_all_others_may_hold_lines(head: bytes) -> None:
    refuse_without_lines(head)


@pytest.mark.parametrize(
    ("head", "spread"),
    [
        (b'[{"type":"login"}]', True),
        (b'\xef\xbb\xbf[\n  {"type":"login"},\n  {"type":"logout"}\n]\n', True),
        (b"[\n", True),
        (b'{\n  "type": "login"\n}\n', True),
        (b'{ "type": "login",\n  "user": "ada" }\n', True),
        (b'{"type":"login"}\n', False),
        (b'{"type":"login",\n{"type":"login"}\n', False),
        (b'{"id":"1","type":"login"', False),
        (b'[2026-05-01] {"type":"login"}\n', False),
        (line(LOG4J), False),
        (b"", False),
    ],
)
def test_events_in_arrays_and_over_several_lines_are_told_from_lines(head: bytes, spread: bool) -> None:
    assert is_spread(head) is spread


def test_a_first_line_that_is_cut_does_not_hide_the_others() -> None:
    assert formats.sniff(b'{"type":"login",\n{"type":"login"}\n') == "native"
