"""Frames as browsers write them: V8 (also IE, JavaScriptCore, Node), Firefox and Safari, and WebAssembly in each.

Written with searches that need time in proportion to the line, because traces come from anybody.
"""

from __future__ import annotations

import re
from typing import Final

from whodid.stack_trace.frame import LINE_CHARS_MAX, LINE_ENDS, SPACE, Frame, fits_integer, unparsed
from whodid.stack_trace.uri import UriError, library_of_place

_V8_START: Final = re.compile(rf"[{SPACE}]*at ")
_V8_MEMBER_END: Final = re.compile(r" (?:\(|\[as )")
_V8_WASM: Final = re.compile(
    rf"\(?([^{SPACE}]+):wasm-function\[([0-9]+)\]:0x([0-9a-fA-F]+)\)?\Z",
)
_V8_EVAL: Final = "eval at "

_FIREFOX_LETTERS: Final = re.compile(r"[.0-9A-Za-z_$/<]*")
_FIREFOX_AFTER_ARGUMENTS: Final = re.compile(r"\)[.0-9A-Za-z_$/<]*@")
_FIREFOX_MEMBER: Final = re.compile(r"[^@(/]*")
_FIREFOX_EVAL: Final = re.compile(r" line ([0-9]+) >")
_FIREFOX_EVAL_END: Final = re.compile(r" (?:Function|eval):[0-9]+:[0-9]+")
_FIREFOX_WASM: Final = re.compile(r":wasm-function\[([0-9]+)\]:0x([0-9a-fA-F]+)\Z")
_SAFARI_WASM: Final = "wasm-function["
_SAFARI_WASM_END: Final = "]@[wasm code]"
_WORD: Final = re.compile(rf"[^{SPACE}]+")
_DIGITS: Final = "0123456789"


def v8(line: str) -> Frame:
    """`    at VW.call$0 (https://example.com/stuff.dart.js:560:28)`, with or without a member, in eval or native."""
    start = _V8_START.match(line)
    if start is None or len(line) > LINE_CHARS_MAX or LINE_ENDS.search(line, start.end()):
        return unparsed(line)
    rest = line[start.end() :]
    try:
        frame = _v8_wasm(rest) if ":wasm-function[" in rest else None
        if frame is None:
            member, place = _v8_parts(rest)
            library = _v8_library(place)
            frame = None if library is None else Frame(library, member)
    except UriError:
        frame = None
    return frame or unparsed(line)


def looks_like_firefox(line: str) -> bool:
    """Whether a line makes a trace one of Firefox or Safari."""
    if len(line) > LINE_CHARS_MAX:
        return False
    return _is_firefox_place(line) or _is_firefox_eval(line)


def firefox(line: str) -> Frame:
    """`.VW.call$0("arg")/name<@https://example.com/stuff.dart.js:560:36`, with or without a member, in eval."""
    if len(line) > LINE_CHARS_MAX:
        return unparsed(line)
    try:
        return _firefox_javascript(line) or _firefox_wasm(line) or _safari_wasm(line) or unparsed(line)
    except UriError:
        return unparsed(line)


def _v8_parts(rest: str) -> tuple[str, str]:
    """Member and location of what stands behind `at `."""
    end = _v8_member_end(rest) if rest.endswith(")") and not _is_space(rest[:1]) else None
    if end is None:
        return "<fn>", rest
    stop, opening = end
    member = rest[:stop]
    for anonymous in ("<anonymous>", "Anonymous function", "(anonymous function)"):
        member = member.replace(anonymous, "<fn>")
    return member, rest[opening:-1]


def _v8_member_end(rest: str) -> tuple[int, int] | None:
    """Where the member ends and where the location begins: at the first ` (`, or at ` [as NAME] (` before it."""
    bracket = -1
    for match in _V8_MEMBER_END.finditer(rest, 1):
        stop = match.start()
        if rest[stop + 1] == "(":
            return (stop, stop + 2) if stop + 2 < len(rest) else None
        if bracket < stop + 5:
            bracket = rest.find("]", stop + 5)
        if bracket < 0:
            bracket = len(rest)
        if bracket > stop + 5 and rest.startswith(" (", bracket + 1):
            return stop, bracket + 3
    return None


def _v8_library(place: str) -> str | None:
    while place.startswith(_V8_EVAL):
        inner = _v8_eval(place)
        if inner is None:
            break
        place = inner
    if place == "native":
        return place
    where, *numbers = _without_numbers(place, digits_min=1)
    if not numbers or not all(fits_integer(number) for number in numbers):
        return None
    return library_of_place(where)


def _v8_eval(place: str) -> str | None:
    """The location within `eval at NAME (LOCATION), NAME:1:2`."""
    name = len(_V8_EVAL)
    opening = place.find(" (", name + 1)
    if opening < 0 or _is_space(place[name]):
        return None
    if place.endswith(")"):
        return place[opening + 2 : -1]
    head, *numbers = _without_numbers(place, digits_min=1)
    closing = place.rfind("), ", opening + 2, len(head)) if len(numbers) == 2 else -1
    return None if closing < 0 else place[opening + 2 : closing]


def _v8_wasm(rest: str) -> Frame | None:
    member, _, place = rest.rpartition(" ")
    match = _V8_WASM.match(place)
    if match is None:
        return None
    return Frame(library_of_place(match[1]), member or match[2])


def _is_firefox_place(line: str) -> bool:
    body = line.rstrip(_DIGITS)
    if not body.endswith(":"):
        return False
    last_space = max((match.end() for match in re.finditer(rf"[{SPACE}]", line)), default=0) - 1
    if last_space < 0:
        return True
    start = _FIREFOX_LETTERS.match(line)
    end = start.end() if start else 0
    if line[end : end + 1] == "@":
        return end > last_space
    if line[end : end + 1] != "(":
        return False
    return any(match.end() - 1 > last_space for match in _FIREFOX_AFTER_ARGUMENTS.finditer(line, end + 1))


def _is_firefox_eval(line: str) -> bool:
    for match in _FIREFOX_EVAL.finditer(line):
        if _last_word(line[: match.start()]).find("@", 0, -1) >= 0:
            return _FIREFOX_EVAL_END.search(line, match.end()) is not None
    return False


def _firefox_javascript(line: str) -> Frame | None:
    body = line.rstrip(_DIGITS)
    if not body.endswith(":"):
        return None
    member, where = _firefox_parts(line, colon=len(body) - 1)
    where, *numbers = _without_numbers(where, digits_min=0)
    if LINE_ENDS.search(where):
        return None
    if " line " in where:
        return _firefox_eval(line)
    if not all(fits_integer(number) for number in numbers if number):
        return unparsed(line)
    return Frame(library_of_place(where), member)


def _firefox_parts(line: str, colon: int) -> tuple[str, str]:
    """Member, and everything behind its `@`; the last colon belongs to what is behind."""
    start = _FIREFOX_MEMBER.match(line)
    end = start.end() if start else 0
    following = line[end : end + 1]
    closure: tuple[int, int] | None = None
    if following == "@" and end < colon:
        closure = end, end
    elif following == "/":
        at = line.rfind("@", end, colon)
        closure = (end, at) if at >= 0 else None
    elif following == "(":
        closure = _firefox_closure_after_arguments(line, end, colon)
    if closure is None:
        return "<fn>", line
    begin, at = closure
    member = line[:end] + ".<fn>" * line.count("/", begin, at)
    return (member or "<fn>").removeprefix("."), line[at + 1 :]


def _firefox_closure_after_arguments(line: str, opening: int, colon: int) -> tuple[int, int] | None:
    at = line.rfind("@", opening, colon)
    closing = line.rfind(")", opening)
    while closing > opening:
        following = line[closing + 1 : closing + 2]
        if following == "@" and closing + 1 < colon:
            return closing + 1, closing + 1
        if following == "/" and at > closing:
            return closing + 1, at
        closing = line.rfind(")", opening, closing)
    return None


def _firefox_eval(line: str) -> Frame:
    """`anonymous/<@https://example.com/stuff.js line 693 > Function:3:40`"""
    for match in _FIREFOX_EVAL.finditer(line):
        word = _last_word(line[: match.start()])
        at = word.rfind("@", 1, len(word) - 1)
        if at < 0:
            continue
        if _FIREFOX_EVAL_END.search(line, match.end()) is None or not fits_integer(match[1]):
            break
        member = word[:at].replace("/<", "")
        return Frame(library_of_place(word[at + 1 :]), "<fn>" if member in ("", "anonymous") else member)
    return unparsed(line)


def _firefox_wasm(line: str) -> Frame | None:
    """`main@http://localhost:8080/test.wasm:wasm-function[792]:0x14378`"""
    end = _FIREFOX_WASM.search(line) if ":wasm-function[" in line else None
    if end is None or LINE_ENDS.search(line):
        return None
    at = line.find("@", 0, end.start())
    where = _WORD.match(line, at + 1, end.start()) if at >= 0 else None
    if where is None:
        return None
    return Frame(library_of_place(where[0]), line[:at] or end[1])


def _safari_wasm(line: str) -> Frame | None:
    """`<?>.wasm-function[main]@[wasm code]`"""
    start = line.find(_SAFARI_WASM)
    stop = len(line) - len(_SAFARI_WASM_END)
    if start < 0 or not line.endswith(_SAFARI_WASM_END) or stop < start + len(_SAFARI_WASM) or LINE_ENDS.search(line):
        return None
    return Frame("wasm code", line[start + len(_SAFARI_WASM) : stop])


def _without_numbers(place: str, *, digits_min: int) -> list[str]:
    """A location without its last one or two `:NUMBER`s, then those numbers."""
    parts: list[str] = []
    for _ in range(2):
        head = place.rstrip(_DIGITS)
        if not head.endswith(":") or len(place) - len(head) < digits_min:
            break
        parts.insert(0, place[len(head) :])
        place = head[:-1]
    return [place, *parts]


def _last_word(text: str) -> str:
    words = text.rsplit(None, 1)
    return words[-1] if words and text.endswith(words[-1]) else ""


def _is_space(char: str) -> bool:
    return not char or _WORD.match(char) is None
