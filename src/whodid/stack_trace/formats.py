"""Which format a stack trace is in, and its frames in order."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from whodid.stack_trace import browser, dart
from whodid.stack_trace.frame import LINE_ENDS, Frame, trimmed

LINES_MAX: Final = 10_000

_V8: Final = re.compile(r"(?:^|\n) {3,4}at ")
_V8_LINE: Final = re.compile(r" {3,4}at ")
_JAVASCRIPT_CORE: Final = "\tat "
_GAP: Final = "===== asynchronous gap ===========================\n"
_GAP_START: Final = "====="
_VM_GAP: Final = "<asynchronous suspension>"
_FIREFOX_NATIVE: Final = "[native code]"


def frames_of(trace: str) -> list[Frame]:
    """The frames of a trace: the first format that fits reads all its lines; a line it cannot read is unparsed."""
    if not trace:
        return []
    if _V8.search(trace):
        return _v8(trace)
    if _JAVASCRIPT_CORE in trace:
        return [browser.v8(line) for line in _lines(trace) if line != _JAVASCRIPT_CORE]
    if any(browser.looks_like_firefox(line) for line in _physical_lines(trace)):
        lines = _lines(trimmed(trace))
        return [browser.firefox(line) for line in lines if line and line != _FIREFOX_NATIVE]
    if _GAP in trace:
        return [frame for part in trace.split(_GAP) for frame in _part_of_chain(part, vm=_VM_GAP in trace)]
    if any(dart.looks_friendly(line) for line in _physical_lines(trace)):
        return _friendly(trace)
    return _vm(trace)


def _v8(trace: str) -> list[Frame]:
    frames: list[Frame] = []
    for line in _lines(trace):
        if frames or _V8_LINE.match(line):
            frames.append(browser.v8(line))
    return frames


def _part_of_chain(part: str, *, vm: bool) -> Iterable[Frame]:
    if vm:
        return _vm(part)
    return _friendly(part) if part else []


def _friendly(trace: str) -> list[Frame]:
    return [dart.friendly(line) for line in _lines(trimmed(trace)) if not line.startswith(_GAP_START)]


def _vm(trace: str) -> list[Frame]:
    lines = [line for line in _lines(trimmed(trace)) if line and line != _VM_GAP]
    # An old VM cut its longest traces in the middle of a file's name.
    if lines and lines[-1].endswith(".da"):
        lines.pop()
    return [dart.vm(line) if line != "..." else Frame(".", "...") for line in lines]


def _lines(text: str) -> list[str]:
    return text.split("\n", LINES_MAX)[:LINES_MAX]


def _physical_lines(text: str) -> list[str]:
    return LINE_ENDS.split(text, LINES_MAX)[:LINES_MAX]
