"""The fast path: a whole array of events checked in one typed pass and a few passes over all of it at once.

What passes may be stored as the sender wrote it. What does not pass is not necessarily wrong: it needs the careful,
event by event reading of `formats/careful.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw

from whodid.event import ENTITIES_MAX, EVENT_BYTES_MAX, NESTING_MAX, PARAMETERS_MAX, TIME_MAX, TIME_MIN, Event
from whodid.formats.rejecting import Unreadable
from whodid.formats.text import check_depth, line_breaks, readable_escapes, storable_numbers

_EVENTS: Final = msgspec.json.Decoder(list[Event])
_LINE: Final = msgspec.json.Decoder(Event)
_RAWS: Final = msgspec.json.Decoder(list[Raw])
_ENTRIES: Final = msgspec.json.Decoder(dict[str, Raw])

# Every lower-case hexadecimal digit becomes "h", and what stood for "h" something else.
_HEX: Final = bytes(104 if chr(byte) in "0123456789abcdef" else 0 if byte == 104 else byte for byte in range(256))
_UUID: Final = b"hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh,"

# Digits and signs become "0", so that numbers with an exponent of four digits can be searched for at once.
_DIGITS: Final = bytes(48 if chr(byte) in "0123456789+-" else 101 if byte == 69 else byte for byte in range(256))
_HUGE_EXPONENT: Final = re.compile(rb"[:,\[\s]-?[0-9.]*[eE][-+]?[0-9]{4}")
_NO_OBJECT: Final = re.compile(rb"\n[^{]")
_LONG_NUMBER: Final = re.compile(rb"[0-9]{1000}")
_LONGEST_NUMBER: Final = b"0" * 1000
_NEITHER_OPENING_NOR_BREAK: Final = bytes(byte for byte in range(256) if byte not in b"{[\n")

# So many stay in the processor's cache.
_AT_ONCE: Final = 256

# Bytes of an array whose events stay there.
_PART_BYTES: Final = 64 * 1024
_KEY_BYTES_MAX: Final = 64

# A level of nesting takes a bracket at either end.
_DEEP_SIZE_BYTES_MIN: Final = 2 * NESTING_MAX
# An entry of an object takes five bytes at least: what is smaller cannot have too many, nor a number that long.
_LOOK_SIZE_BYTES_MIN: Final = 1_000
_ENTRIES_SIZE_BYTES_MIN: Final = 5 * PARAMETERS_MAX


class Strict(NamedTuple):
    """Events that may be stored as they stand, if no two of the ids are the same."""

    events: list[Event]
    ids: list[str]


def strict_events(payload: bytes) -> list[Event] | None:
    """The events of a JSON array if every one of them may be stored as it stands, else None.

    payload  a JSON array on one line.
    Strict means: canonical lower-case UUIDs, distinct ids, UTC times within the limits, no field that an event does
    not have, parameters an object within the limits, UTF-8, no NUL, no number that a store cannot hold.
    """
    read = strict_array(payload)
    return read.events if read is not None and len(set(read.ids)) == len(read.ids) else None


def strict_array(payload: bytes) -> Strict | None:
    """As `strict_events`, but for its ids, which the caller has to look at."""
    if b"\n" in payload or b"\r" in payload:
        return None
    read = _checked(payload, _EVENTS.decode)
    if read and len(payload) > EVENT_BYTES_MAX and max(map(len, _RAWS.decode(payload))) > EVENT_BYTES_MAX:
        return None
    return read


def strict_ids(payload: bytes, *, takes: Callable[[list[Event]], bool]) -> set[str] | None:
    """The ids of the events of a large array if all are what `strict_events` asks for, else None.

    takes  is shown the events; where it returns False, their ids are not enough and the answer is None, too.

    The events are made and let go of a part at a time: those of a whole large array leave the processor's cache, which
    takes a third longer.
    """
    ids: set[str] = set()
    count = 0
    for part in _parts(payload):
        read = strict_array(part)
        if read is None or not read.events or not takes(read.events):
            return None
        count += len(read.ids)
        ids.update(read.ids)
    return ids if len(ids) == count else None


def _parts(array: bytes) -> Iterator[bytes]:
    """An array as several, cut where an element seems to begin: with the same key as the first one.

    Where that is within an element, or within a string, what comes before it is no JSON.
    """
    start = 1
    beginning = array[start : array.find(b":", start, _KEY_BYTES_MAX) + 1]
    while beginning and (at := array.find(beginning, start + _PART_BYTES)) >= 0:
        end = array.rfind(b"}", start, at) + 1
        if array[end:at].strip(b" ") != b",":
            break
        yield b"[%b]" % array[start:end]
        start = at
    yield b"[%b" % array[start:]


def strict_lines(lines: bytes) -> Strict | None:
    """The events of whole lines, one a line, if every one of them may be stored as it stands, else None.

    lines  ends with a line break; fewer than `EVENT_BYTES_MAX` bytes.
    """
    if b"\r" in lines:
        return None
    read = _checked(lines, _LINE.decode_lines)
    # An event that takes two lines, or a line without one, makes their numbers differ.
    return read if read is not None and len(read.events) == line_breaks(lines) else None


def _checked(text: bytes, decode: Callable[[bytes], list[Event]]) -> Strict | None:
    if b"\\" in text and b"\\u0000" in text and readable_escapes(text) != text:
        return None
    try:
        if not text.isascii():
            text.decode()
        events = decode(text)
    except (ValueError, RecursionError):
        return None
    ids = [event.id for event in events]
    if events and not (
        _fields_are_strict(events, ids)
        and _times_are_strict(events)
        and parameters_are_strict([event.parameters for event in events])
    ):
        return None
    return Strict(events, ids)


def _fields_are_strict(events: list[Event], ids: list[str]) -> bool:
    uuids = ids + [session for event in events if (session := event.session) is not None]
    # Few events have what is looked at one by one: a look for those that do takes half of a look at each thing of all.
    for event in [
        event
        for event in events
        if event.error_stack_trace or event.error_hash is not None or len(event.entities) > ENTITIES_MAX
    ]:
        if len(event.entities) > ENTITIES_MAX or not event.error_hash:
            return False
        uuids.append(event.error_hash)
    return _are_canonical(uuids)


def _are_canonical(texts: list[str]) -> bool:
    joined = ",".join(texts) + ","
    return joined.isascii() and joined.encode().translate(_HEX) == _UUID * len(texts)


def _times_are_strict(events: list[Event]) -> bool:
    times = [event.time for event in events]
    return {time.tzinfo for time in times} == {UTC} and min(times) >= TIME_MIN and max(times) < TIME_MAX


def lines_are_plain(lines: Sequence[bytes], joined: bytes) -> bool:
    """Whether lines of valid JSON hold nothing at all that looks like what parameters must not hold.

    lines, joined  the same lines; joined by line breaks.
    Those that do not look plain may still be strict: what looks like it is in a string, for example.
    """
    if max(map(len, lines)) > _ENTRIES_SIZE_BYTES_MIN:
        return False
    openings = joined.translate(None, _NEITHER_OPENING_NOR_BREAK).split(b"\n")
    if max(map(len, openings)) > NESTING_MAX:
        return False
    digits = joined.translate(_DIGITS)
    return _LONGEST_NUMBER not in digits and digits.rfind(b"0e0000") < 0


def parameters_are_strict(every: Sequence[Raw | bytes]) -> bool:
    """Whether valid JSON texts are objects within the limits, without numbers no store can hold.

    every  on one line each.
    """
    groups = (every[start : start + _AT_ONCE] for start in range(0, len(every), _AT_ONCE))
    return all(map(_are_strict, groups))


def _are_strict(every: Sequence[Raw | bytes]) -> bool:
    joined = b"\n" + b"\n".join(every)
    if _NO_OBJECT.search(joined):
        return False
    if _may_have_huge_exponent(joined) and storable_numbers(joined) != joined:
        return False
    largest = max(map(len, every))
    if largest < _DEEP_SIZE_BYTES_MIN:
        return True
    openings = joined.translate(None, _NEITHER_OPENING_NOR_BREAK).split(b"\n")
    if max(map(len, openings)) > NESTING_MAX and not all(map(_is_shallow, map(bytes, every))):
        return False
    return largest <= _LOOK_SIZE_BYTES_MIN or all(map(_is_bounded, map(bytes, every)))


def _may_have_huge_exponent(text: bytes) -> bool:
    digits = text.translate(_DIGITS)
    # Searching backwards takes less than half of the time, because "0e" is rarer than "00".
    at = digits.rfind(b"0e0000")
    while at >= 0:
        # Identifiers hold such letters and digits too; a number follows a colon, a comma or a bracket.
        before = text[max(0, at - 1000) : at + 7]
        if _HUGE_EXPONENT.match(before, _start_of_number(before)):
            return True
        at = digits.rfind(b"0e0000", 0, at + 5)
    return False


def _start_of_number(before: bytes) -> int:
    return max(0, len(before[:-6].rstrip(b"0123456789.-")) - 1)


def _is_shallow(parameters: bytes) -> bool:
    try:
        check_depth(parameters)
    except Unreadable:
        return False
    return True


def _is_bounded(parameters: bytes) -> bool:
    if len(parameters) <= _LOOK_SIZE_BYTES_MIN:
        return True
    if _LONG_NUMBER.search(parameters) and storable_numbers(parameters) != parameters:
        return False
    return len(parameters) <= _ENTRIES_SIZE_BYTES_MIN or len(_ENTRIES.decode(parameters)) <= PARAMETERS_MAX
