"""The fast path: a whole array of events checked in one typed pass and a few passes over all of it at once.

What passes may be stored as the sender wrote it. What does not pass is not necessarily wrong: it needs the careful,
event by event reading of `formats/careful.py`.
"""

from __future__ import annotations

import re
from datetime import UTC
from typing import Final

import msgspec

from whodid.event import EVENT_BYTES_MAX, NESTING_MAX, PARAMETERS_MAX, TIME_MAX, TIME_MIN, Event

_EVENTS: Final = msgspec.json.Decoder(list[Event])
_RAWS: Final = msgspec.json.Decoder(list[msgspec.Raw])

# Every lower-case hexadecimal digit becomes "h", and what stood for "h" something else.
_HEX: Final = bytes(104 if chr(byte) in "0123456789abcdef" else 0 if byte == 104 else byte for byte in range(256))
_UUID: Final = b"hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh,"

# Digits become "0", so that a number's exponent of four digits and more can be searched for at once.
_DIGITS: Final = bytes(48 if 48 <= byte <= 57 else 101 if byte == 69 else byte for byte in range(256))
_HUGE_EXPONENT: Final = re.compile(rb"[0-9][eE][-+]?[0-9]{4}")
_HUGE_NUMBER: Final = re.compile(rb"[0-9]{1000}")

# An entry of an object takes five bytes at least, a nested value two: what is smaller need not be looked at.
_ENTRIES_SIZE_BYTES_MIN: Final = 5 * PARAMETERS_MAX
_LOOK_SIZE_BYTES_MIN: Final = 2 * NESTING_MAX


def strict_events(payload: bytes) -> list[Event] | None:
    """The events of a JSON array if every one of them may be stored as it stands, else None.

    payload  a JSON array on one line.
    Strict means: canonical lower-case UUIDs, distinct ids, UTC times within the limits, no field that an event does
    not have, parameters an object within the limits, UTF-8, no NUL, no number that a store cannot hold.
    """
    if b"\n" in payload or b"\r" in payload:
        return None
    if b"\\" in payload and b"\\u0000" in payload:
        return None
    try:
        if not payload.isascii():
            payload.decode()
        events = _EVENTS.decode(payload)
    except (ValueError, RecursionError):
        return None
    if not events:
        return events
    if not (_ids_are_strict(events) and _times_are_strict(events) and _parameters_are_strict(events)):
        return None
    if len(payload) > EVENT_BYTES_MAX and max(map(len, _RAWS.decode(payload))) > EVENT_BYTES_MAX:
        return None
    return events


def _ids_are_strict(events: list[Event]) -> bool:
    ids = [event.id for event in events]
    if len(set(ids)) != len(ids) or not _are_canonical(ids):
        return False
    others = {event.session for event in events}
    hashes = {event.error_hash for event in events}
    if any(event.error_stack_trace and not event.error_hash for event in events):
        return False
    others |= hashes
    others.discard(None)
    return _are_canonical([text for text in others if text is not None])


def _are_canonical(texts: list[str]) -> bool:
    joined = ",".join(texts) + ","
    return not texts or (joined.isascii() and joined.encode().translate(_HEX) == _UUID * len(texts))


def _times_are_strict(events: list[Event]) -> bool:
    times = [event.time for event in events]
    return {time.tzinfo for time in times} == {UTC} and min(times) >= TIME_MIN and max(times) < TIME_MAX


def _parameters_are_strict(events: list[Event]) -> bool:
    every = [event.parameters for event in events]
    joined = b"\n".join(every)
    if not joined.startswith(b"{") or joined.count(b"\n{") != len(every) - 1:
        return False
    digits = joined.translate(_DIGITS)
    if (b"e0000" in digits or b"e-0000" in digits or b"e+0000" in digits) and _HUGE_EXPONENT.search(joined):
        return False
    return all(_is_bounded(bytes(each)) for each in every if len(each) > _LOOK_SIZE_BYTES_MIN)


def _is_bounded(parameters: bytes) -> bool:
    if parameters.count(b"{") + parameters.count(b"[") > NESTING_MAX:
        return False
    return len(parameters) <= _ENTRIES_SIZE_BYTES_MIN and not _HUGE_NUMBER.search(parameters)
