"""Which format the first lines of a file look like."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final

import msgspec
from msgspec import Raw

from whodid.formats.text import BYTE_ORDER_MARK, readable_bytes

_LINES_MAX: Final = 50
_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])
_APINODE_TIME: Final = re.compile(rb'"\d{4}/\d\d/\d\d-')
_FILENAMES: Final = ((re.compile(r"audit\.log"), "dss-log4j"), (re.compile(r"queries\.log"), "dss-apinode"))


def shape_of(head: bytes, filename: str | None = None) -> str | None:
    """The format of the first line that tells; else what the file's name says; None if nothing does."""
    lines = head.removeprefix(BYTE_ORDER_MARK).split(b"\n")[:_LINES_MAX]
    for line in lines:
        found = _shape_of_line(line.strip())
        if found is not None:
            return found
    name = PurePath(filename).name if filename else ""
    return next((found for pattern, found in _FILENAMES if pattern.search(name)), None)


def _shape_of_line(line: bytes) -> str | None:
    if not line.startswith(b"{"):
        return None
    try:
        fields = _FIELDS.decode(readable_bytes(line))
    except (ValueError, RecursionError):
        return None
    if "clientEvent" in fields:
        return "dss-event-server"
    if "msgType" in fields or "customMsgType" in fields:
        return "dss-bare"
    if "message" in fields and ("logger" in fields or "mdc" in fields or "severity" in fields):
        return "dss-apinode" if _APINODE_TIME.match(fields.get("timestamp", Raw(b""))) else "dss-log4j"
    return "native" if "type" in fields else None
