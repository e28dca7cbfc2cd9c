"""Which errors are one: whodid's own grouping, which has a version and says why.

Beside it stands `stack_trace.error_hash`, which follows Datagrok's rule. That one takes all frames, and of languages
it does not know the whole text; this one takes the first of these that there is, together with the error's type:

1. the frames of the application's own code, without lines, columns, paths, versions and what compilers number;
2. all frames, when none is the application's own;
3. the message, without addresses, ids, numbers, paths, quoted values, e-mail addresses, times and UUIDs;
4. the event's type.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from whodid.analysis.messages import normalised, taken_out
from whodid.analysis.traces import Frame, Trace, parse, type_of

VERSION: Final = "v1"
FRAMES_COUNTED: Final = 12
FRAMES_NAMED: Final = 4
_DIGITS: Final = 16
_CACHED: Final = 20_000


class Group(NamedTuple):
    """A group of errors.

    id     `v1:` and 16 hexadecimal digits; the same for the same errors on every server.
    rule   by what it was found: in-app frames, all frames, message, type.
    title  one line for lists.
    why    the explanation in words.
    parts  what all errors of the group have in common, as lines.
    """

    id: str
    rule: str
    title: str
    why: str
    parts: tuple[str, ...]


@functools.lru_cache(maxsize=_CACHED)
def group_of(trace: str | None, message: str | None, event_type: str = "error") -> Group:
    """The group of an error with this trace, message and type of event. Never raises."""
    read = _parsed(trace)
    kind = read.type or type_of(message)
    told = read.message or message or ""
    own = _counted(frame for frame in read.frames if frame.in_app)
    if own:
        left_out = sum(not frame.in_app for frame in read.frames)
        return _group("in-app frames", kind, own, _title(kind, told, own[0]), _why_frames(kind, own, left_out))
    every = _counted(read.frames)
    if every:
        return _group("all frames", kind, every, _title(kind, told, every[0]), _why_all_frames(kind, every))
    text = normalised(message or read.message or "")
    if text:
        return _group("message", kind, (text,), text, _why_message(message or read.message or "", text))
    why = "Neither a stack trace nor a message was told: all such events of this type are one group."
    return _group("type", kind, (event_type,), kind or event_type, why)


def sub_group(group: Group, value: str, why: str) -> Group:
    """A part of a group that a rule splits off."""
    digest = _digest(("split", group.id, value))
    return group._replace(id=f"{VERSION}:{digest}", why=f"{group.why} Split off: {why}", parts=(*group.parts, value))


@functools.lru_cache(maxsize=_CACHED)
def _parsed(trace: str | None) -> Trace:
    return parse(trace)


def frames_of(trace: str | None) -> tuple[Frame, ...]:
    """The frames of a trace, innermost first, for showing it with the application's own open."""
    return _parsed(trace).frames


def _counted(frames: Iterable[Frame]) -> tuple[str, ...]:
    """Frames as lines; a call of itself counts once, so that the depth of a recursion makes no group."""
    lines: list[str] = []
    for frame in frames:
        line = f"{frame.member} ({frame.file})" if frame.file else frame.member
        if line not in lines[-2:]:
            lines.append(line)
    return tuple(lines[:FRAMES_COUNTED])


def _group(rule: str, kind: str | None, parts: tuple[str, ...], title: str, why: str) -> Group:
    return Group(f"{VERSION}:{_digest((rule, kind or '', *parts))}", rule, title[:300], why, parts)


def _digest(words: Sequence[str]) -> str:
    return hashlib.sha256("\x00".join(words).encode("utf-8", "replace")).hexdigest()[:_DIGITS]


def _title(kind: str | None, message: str, frame: str) -> str:
    text = normalised(message)
    if kind and not text.startswith(kind):
        text = f"{kind}: {text}" if text else kind
    return f"{text or 'Error'} in {frame}"


def _why_frames(kind: str | None, own: Sequence[str], left_out: int) -> str:
    libraries = f" Frames of libraries do not count ({left_out} here)." if left_out else ""
    return (
        f"The application's own frames are the same: {_named(own)}.{_of_type(kind)}{libraries}"
        " Messages, lines, columns, paths and versions do not count."
    )


def _why_all_frames(kind: str | None, every: Sequence[str]) -> str:
    return (
        f"No frame is the application's own, so all of them count: {_named(every)}.{_of_type(kind)}"
        " Messages, lines, columns, paths and versions do not count."
    )


def _why_message(message: str, text: str) -> str:
    left_out = taken_out(message)
    without = f" without its {_listed(left_out)}" if left_out else ""
    return f"There is no stack trace; the message{without} is the same: {text[:200]}"


def _of_type(kind: str | None) -> str:
    return f" The error's type is {kind}." if kind else ""


def _named(frames: Sequence[str]) -> str:
    more = f" and {len(frames) - FRAMES_NAMED} more" if len(frames) > FRAMES_NAMED else ""
    return ", called by ".join(frames[:FRAMES_NAMED]) + more


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
