"""Which format the first lines of a file look like."""

from __future__ import annotations

import codecs
import re
from pathlib import PurePath
from typing import Final

import msgspec
from msgspec import Raw

from whodid.errors import WhodidError
from whodid.formats.text import BYTE_ORDER_MARK, readable_bytes

_LINES_MAX: Final = 50
_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])
_APINODE_TIME: Final = re.compile(rb'"\d{4}/\d\d/\d\d-')
# A line that opens an object and ends before it does.
_OPENING: Final = re.compile(rb'\{\s*("\w+"\s*:.*,)?\s*')
_FILENAMES: Final = ((re.compile(r"audit\.log"), "dss-log4j"), (re.compile(r"queries\.log"), "dss-apinode"))
_UTF_16_HINT: Final = "Turn it into UTF-8: iconv -f UTF-16 -t UTF-8 FILE | whodid import -"
# Files that hold no lines: their mark, where it stands, what they are, and what makes lines of them.
_WITHOUT_LINES: Final = (
    (codecs.BOM_UTF16_LE, 0, "UTF-16", _UTF_16_HINT),
    (codecs.BOM_UTF16_BE, 0, "UTF-16", _UTF_16_HINT),
    (b"ustar", 257, "a tar archive", "Unpack it, and import the folder: mkdir FOLDER && tar -xf FILE -C FOLDER"),
    (b"PK\3\4", 0, "a zip archive", "Unpack it, and import the folder: unzip FILE -d FOLDER"),
    (b"BZh", 0, "packed by bzip2", "Unpack it first: bunzip2 FILE"),
    (b"\xfd7zXZ\0", 0, "packed by xz", "Unpack it first: unxz FILE"),
    (b"PAR1", 0, "Parquet", "Make lines of it first: duckdb -c \"COPY 'FILE' TO 'events.jsonl' (FORMAT json)\""),
)


def refuse_without_lines(head: bytes, filename: str | None = None) -> None:
    """Raise what to do instead if a file (its first bytes, decompressed) is no text of lines, whatever its format.

    Raises
    ------
    WhodidError("invalid")
        It is UTF-16, an archive, packed in a way that is not read here, or Parquet.
    """
    for mark, offset_bytes, what, hint in _WITHOUT_LINES:
        if head.startswith(mark, offset_bytes):
            raise WhodidError("invalid", f"{filename or 'The input'} is {what}.", hint)


def is_spread(head: bytes) -> bool:
    """Whether the first bytes of a file look like JSON whose events lie in an array or go over several lines."""
    text = head.removeprefix(BYTE_ORDER_MARK).lstrip()
    if text.startswith(b"["):
        return text[1:].lstrip()[:1] in (b"", b"{", b"]")
    first, line_break, _ = text.partition(b"\n")
    return bool(line_break and _OPENING.fullmatch(first)) and _shape_of_lines(head) is None


def shape_of(head: bytes, filename: str | None = None) -> str | None:
    """The format of the first line that tells; else what the file's name says; None if nothing does."""
    if (found := _shape_of_lines(head)) is not None:
        return found
    name = PurePath(filename).name if filename else ""
    return next((found for pattern, found in _FILENAMES if pattern.search(name)), None)


def _shape_of_lines(head: bytes) -> str | None:
    lines = head.removeprefix(BYTE_ORDER_MARK).split(b"\n")[:_LINES_MAX]
    return next(filter(None, (_shape_of_line(line.strip()) for line in lines)), None)


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
