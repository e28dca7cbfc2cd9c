"""Which format a file has, by its lines and by its name."""

from __future__ import annotations

import pytest

from support.dss import APINODE, BARE, EVENT_SERVER, LOG4J, line
from whodid import formats
from whodid.errors import WhodidError
from whodid.formats.sniffing import is_spread


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


def test_utf_16_says_how_to_turn_it_into_utf_8() -> None:
    with pytest.raises(WhodidError) as caught:
        formats.sniff('{"type":"login"}\n'.encode("utf-16"), "audit.json")
    assert str(caught.value).startswith("audit.json is UTF-16. Turn it into UTF-8: iconv")


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
