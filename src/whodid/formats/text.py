"""JSON text: readings of it that lose nothing, done on the bytes before a parser sees them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from whodid.event import NESTING_MAX
from whodid.formats.rejecting import Unreadable

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[dD][89a-fA-F][0-9a-fA-F]{2}|u0000|.)",
    re.DOTALL,
)
_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{},]', re.DOTALL)
_STRING_OR_NUMBER: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"|-?[0-9][-+.eE0-9]*', re.DOTALL)
_HUGE_NUMBER: Final = re.compile(rb"[eE][-+]?0*[1-9][0-9]{3}|[0-9]{1000}")

_BYTE_ESCAPES: Final = {0xDC00 + byte: f"\\\\x{byte:02x}" for byte in range(128, 256)}
_DEPTH: Final = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}


def line_breaks(text: bytes) -> int:
    """How many there are. `bytes.count` looks at one byte at a time, `bytes.replace` at many: a sixth of the time."""
    return len(text) - len(text.replace(b"\n", b""))


def readable_bytes(text: bytes) -> bytes:
    r"""JSON text whose bytes that are not UTF-8 are replaced by their escapes as text: the four characters `\xff`."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode(errors="surrogateescape").translate(_BYTE_ESCAPES).encode()
    return text


def readable_escapes(text: bytes) -> bytes:
    r"""JSON text with what no store can hold made visible: a NUL becomes "␀", half a surrogate pair its own escape.

    `"\u0000"` becomes `"\u2400"`; a lone `"\ud83d"` becomes `"\\ud83d"`, the six characters.
    """
    return _ESCAPE.sub(_readable_escape, text) if b"\\u" in text else text


def _readable_escape(match: re.Match[bytes]) -> bytes:
    escape = match.group()
    if escape == b"\\u0000":
        return b"\\u2400"
    return b"\\" + escape if len(escape) == 6 and escape[2:3] in b"dD" else escape


def storable_numbers(text: bytes) -> bytes:
    """Valid JSON text in which numbers that no store can hold (1e9999, 1,000 digits) are strings of the same text."""
    return _STRING_OR_NUMBER.sub(_storable, text) if _HUGE_NUMBER.search(text) else text


def _storable(match: re.Match[bytes]) -> bytes:
    token = match.group()
    return token if token.startswith(b'"') or not _HUGE_NUMBER.search(token) else b'"' + token + b'"'


def check_depth(text: bytes, depth_max: int = NESTING_MAX) -> None:
    """Raise `Unreadable("too_deep")` when brackets outside of strings are nested more than `depth_max` deep."""
    if text.count(b"[") + text.count(b"{") <= depth_max:
        return
    depth = 0
    for match in _TOKEN.finditer(text):
        depth += _DEPTH.get(match.group(), 0)
        if depth > depth_max:
            raise Unreadable("too_deep", f"Values are nested more than {depth_max} deep.")


def elements(array: bytes) -> Iterator[bytes]:
    """The elements of a JSON array, each as its text, although some of them may be broken.

    Strings and brackets have to be whole for that; behind the first that is not, everything is one last element.
    """
    start = array.index(b"[") + 1
    depth = 1
    for match in _TOKEN.finditer(array, start):
        token = match.group()
        depth += _DEPTH.get(token, 0)
        if depth == 0 or (depth == 1 and token == b","):
            yield array[start : match.start()].strip()
            start = match.end()
            if depth == 0:
                break
    rest = array[start:].strip()
    if rest:
        yield rest


def compact(text: bytes) -> bytes:
    """Valid JSON text on one line."""
    return msgspec.json.format(text, indent=-1) if b"\n" in text or b"\r" in text else text
