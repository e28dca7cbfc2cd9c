"""Which format a file has, by its lines and by its name."""

from __future__ import annotations

import pytest

from support.dss import APINODE, BARE, EVENT_SERVER, LOG4J, line
from whodid import formats
from whodid.errors import WhodidError


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
