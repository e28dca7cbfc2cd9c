"""Frames as the Dart VM writes them, and as the package `stack_trace` prints them ("friendly")."""

from __future__ import annotations

import re
from typing import Final

from whodid.stack_trace.frame import LINE_CHARS_MAX, LINE_ENDS, SPACE, Frame, fits_integer, unparsed
from whodid.stack_trace.uri import DATA_LIBRARY, UriError, library_of_uri

_VM_START: Final = re.compile(rf"#[0-9]+[{SPACE}]+(?=[^{SPACE}])")
_ANONYMOUS_CLOSURE: Final = "<anonymous closure>"
_ASYNC_BODY: Final = "_async_body"

_FRIENDLY: Final = re.compile(
    rf"([^{SPACE}]+)(?: ([0-9]+)(?::([0-9]+))?)?[{SPACE}]+([^0-9].*)\Z",
)
_FRIENDLY_LOOK: Final = re.compile(rf"[^{SPACE}<][^{SPACE}]*(?: [0-9]+(?::[0-9]+)?)?[ \t]+[^{SPACE}]+\Z")


def vm(line: str) -> Frame:
    """`#1      Foo._bar (file:///home/x/stuff.dart:42:21)`, with or without line and column."""
    start = _VM_START.match(line)
    if start is None or not line.endswith(")") or len(line) > LINE_CHARS_MAX or LINE_ENDS.search(line, start.end()):
        return unparsed(line)
    # Something has to stand before and within the last pair of " (" and ")".
    opening = line.rfind(" (", start.end() + 1, len(line) - 2)
    if opening < 0:
        return unparsed(line)
    inside = line[opening + 2 : -1]
    where, place = _split_place(inside)
    try:
        library = DATA_LIBRARY if where.startswith("<data:") else library_of_uri(where)
    except UriError:
        return unparsed(line)
    if not all(fits_integer(digits) for digits in place):
        return unparsed(line)
    return Frame(library, _member(line[start.end() : opening]))


def looks_friendly(line: str) -> bool:
    """Whether a line makes a trace one that the package printed."""
    return len(line) <= LINE_CHARS_MAX and _FRIENDLY_LOOK.match(line) is not None


def friendly(line: str) -> Frame:
    """`foo/bar.dart 10:11  Foo._bar`"""
    if len(line) > LINE_CHARS_MAX or LINE_ENDS.search(line):
        return unparsed(line)
    match = _FRIENDLY.match(line)
    if match is None or not all(fits_integer(digits) for digits in match.group(2, 3) if digits):
        return unparsed(line)
    try:
        library = DATA_LIBRARY if match[1] == DATA_LIBRARY else library_of_uri(match[1])
    except UriError:
        return unparsed(line)
    return Frame(library, match[4])


def _split_place(inside: str) -> tuple[str, list[str]]:
    """A location without, and the digits of, its last one or two `:NUMBER`s; at least one character stays before."""
    where = inside
    place: list[str] = []
    for _ in range(2):
        head, colon, tail = where.rpartition(":")
        if not colon or not head or not (tail.isascii() and tail.isdigit()):
            break
        where = head
        place.insert(0, tail)
    return where, place


def _member(text: str) -> str:
    text = text.replace(f"<{_ANONYMOUS_CLOSURE}{_ASYNC_BODY}>", "<async>")
    if _ASYNC_BODY in text:
        *closed, rest = text.split(">")
        text = "".join(map(_async_part, closed)) + rest
    return text.replace(_ANONYMOUS_CLOSURE, "<fn>")


def _async_part(part: str) -> str:
    opening = part.find("<")
    if part.endswith(_ASYNC_BODY) and 0 <= opening < len(part) - len(_ASYNC_BODY) - 1:
        return part[:opening] + "<async>"
    return part + ">"
