"""Stack traces of Python, JavaScript, Java, Dart and R as frames, for people and for grouping.

Unlike `stack_trace`, which follows another product's rule to the letter, this reads what a reader wants to see: which
frames are the application's own, and where they are. Every pattern takes time in proportion to its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from whodid.analysis.library_frames import is_library
from whodid.analysis.places import file_of, member_of

TRACE_CHARS_MAX: Final = 256 * 1024
FRAMES_MAX: Final = 500
LINE_CHARS_MAX: Final = 2_000


class Frame(NamedTuple):
    """A call: `file` and `member` as they count for grouping, `line` and `text` as they were written."""

    file: str
    member: str
    line: int | None
    in_app: bool
    text: str


class Trace(NamedTuple):
    """A stack trace: `language` ("" when no line fits), the error's `type`, its `message`, frames innermost first."""

    language: str
    type: str | None
    message: str | None
    frames: tuple[Frame, ...]


class _Language(NamedTuple):
    """How a language writes a frame; `innermost_last` when the place of the error comes last."""

    name: str
    frame: re.Pattern[str]
    innermost_last: bool = False


_LANGUAGES: Final = (
    _Language(
        "python", re.compile(r'\s{0,40}File "(?P<place>[^"]+)", line (?P<line>\d+)(?:, in (?P<member>.+))?$'), True
    ),
    _Language(
        "java",
        re.compile(
            r"\s{1,40}at (?:[\w.\-@]+/{1,2}|[\w.\-]+//)?(?P<place>[\w$.\-]+)\.(?P<member>[\w$<>\-]+)"
            r"\((?P<source>[^():]*)(?::(?P<line>\d+))?\)"
        ),
    ),
    _Language(
        "javascript",
        re.compile(
            r"\s{1,40}at (?:(?P<member>[^()\n]+?(?: \[as [^\]\n]+\])?) \()?"
            r"(?P<place>(?:[a-z\-]+:)?[^()\s]+?)(?::(?P<line>\d+))?(?::\d+)?\)?$"
        ),
    ),
    _Language("dart", re.compile(r"#\d+\s+(?P<member>.+) \((?P<place>[^()\s]+?)(?::(?P<line>\d+))?(?::\d+)?\)$")),
    _Language(
        "dart",
        re.compile(
            r"(?P<place>(?:package|dart|file|https?):[^\s]+|[\w/.\-]+\.dart) (?P<line>\d+)(?::\d+)?\s+(?P<member>\S.*)$"
        ),
    ),
    _Language(
        "javascript",
        re.compile(r"(?P<member>[^@\s]{0,500})@(?P<place>[^\s]+?)(?: line \d+ > \w+)?:(?P<line>\d+)(?::\d+)?$"),
    ),
    _Language("r", re.compile(r"\s{0,10}(?P<line>\d+): (?P<member>[\w.:]+)\((?P<place>)")),
    _Language("r", re.compile(r"\s{0,10}(?P<line>\d+)\. (?:[│├└─+|\\\- ]+)?(?P<member>[\w.:]+)\((?P<place>)")),
)
_TYPE: Final = re.compile(
    r"(?:Uncaught |Unhandled |Caused by: |Exception in thread \"[^\"]*\" )?"
    r"(?P<type>(?:[A-Za-z_$][\w$]*\.)*(?:[A-Z_$][\w$]*)?(?:Error|Exception|Warning|Exit|Interrupt|Failure|Fault|Panic))"
    r"(?: \([^()\n]{0,80}\))?(?:: (?P<message>.*)|$)"
)
# Python's last line may name any class.
_PYTHON_TYPE: Final = re.compile(r"(?P<type>[A-Za-z_][\w.]*)(?:: (?P<message>.*))?$")
_R_ERROR: Final = re.compile(r"Error(?: in (?P<call>.+?))? ?: ?(?P<message>.*)$")


def parse(trace: str | None) -> Trace:
    """Read a stack trace. Never raises; lines that fit nothing are left out."""
    lines = [line[:LINE_CHARS_MAX] for line in (trace or "")[:TRACE_CHARS_MAX].splitlines()]
    language = _language_of(lines)
    kind, message = _error_of(lines, language)
    if language is None:
        return Trace("", kind, message, ())
    frames = list(_frames(lines, language))
    if language.innermost_last:
        frames.reverse()
    return Trace(language.name, kind, message, tuple(frames[:FRAMES_MAX]))


def type_of(message: str | None) -> str | None:
    """The error's type, where a message begins with it: `KeyError: 'x'`."""
    match = _TYPE.match((message or "")[:LINE_CHARS_MAX])
    return match["type"] if match else None


def _language_of(lines: list[str]) -> _Language | None:
    """The language whose pattern fits most lines; the first of those that fit as many."""
    best, most = None, 0
    for language in _LANGUAGES:
        fitting = sum(1 for line in lines[:FRAMES_MAX] if language.frame.match(line))
        if fitting > most:
            best, most = language, fitting
    return best


def _frames(lines: list[str], language: _Language) -> Iterator[Frame]:
    for line in lines:
        match = language.frame.match(line)
        if match is None:
            continue
        place, member = match["place"], match["member"] or ""
        number = match["line"] if language.name != "r" else None
        yield Frame(
            file_of(language.name, place),
            member_of(language.name, member),
            int(number[:9]) if number else None,
            not is_library(language.name, place, member),
            line.strip(),
        )


def _error_of(lines: list[str], language: _Language | None) -> tuple[str | None, str | None]:
    """Type and message: Python tells them last, the others first; a Java trace has its cause last of several."""
    if language is not None and language.name == "r":
        for line in lines:
            match = _R_ERROR.match(line)
            if match:
                return "Error", match["message"].strip() or None
        return None, None
    name = language.name if language is not None else ""
    pattern = _PYTHON_TYPE if name == "python" else _TYPE
    for line in reversed(lines) if name in ("python", "java") else lines:
        match = pattern.match(line)
        if match:
            return match["type"], (match["message"] or "").strip() or None
    return None, None
