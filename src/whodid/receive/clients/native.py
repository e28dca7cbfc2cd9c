"""What clients tell, as the text of native events: nothing is lost, and nothing odd costs the event.

A client's reading gives `fields` (of `whodid.event.Event`) and `parameters` (everything else). Where a field cannot
hold what was told, it holds what it can, and the parameters hold all of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import xxhash
from msgspec import Raw

from whodid.errors import WhodidError
from whodid.event import REQUEST_EVENTS_MAX, content_id
from whodid.formats import times
from whodid.formats.base import Decoded
from whodid.formats.careful import TEXT_SIZES_MAX, canonical_uuid, utc_text
from whodid.formats.native import decode_pieces
from whodid.formats.rejecting import Unreadable
from whodid.formats.text import (
    BYTE_ORDER_MARK,
    elements,
    readable_bytes,
    readable_escapes,
    storable_numbers,
)

Fields = dict[str, Any]
Told = dict[str, Raw]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_RAWS: Final = msgspec.json.Decoder(list[Raw])

# Levels by the names that loggers give them.
LEVELS: Final[dict[str, str]] = {
    **dict.fromkeys(("trace", "finest", "finer", "fine", "verbose", "debug", "notset", "all"), "debug"),
    **dict.fromkeys(("info", "information", "informational", "notice", "log", "success", "config"), "info"),
    **dict.fromkeys(("warn", "warning"), "warning"),
    **dict.fromkeys(("err", "error", "severe", "fatal", "critical", "crit"), "error"),
    **dict.fromkeys(("alert", "emergency", "emerg", "panic", "exception"), "error"),
    "audit": "audit",
    "usage": "usage",
}


def json_text(body: bytes) -> bytes:
    """The JSON text of a body with what no store can hold made visible."""
    return readable_escapes(readable_bytes(body.removeprefix(BYTE_ORDER_MARK)))


def object_of(text: bytes) -> Told:
    """The members of a JSON object.

    Raises
    ------
    WhodidError("invalid")
        It is none.
    """
    try:
        return _OBJECT.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise WhodidError("invalid", f"The body is no JSON object: {error}.", "Send what the client sends.") from None


def list_of(raw: Raw | bytes | None, what: str) -> list[bytes]:
    """The elements of a JSON array, each as its text, although some may be broken. Raises WhodidError("invalid")."""
    if raw is None:
        raise WhodidError("invalid", f"The body has no {what}.", "Send what the client sends.")
    try:
        return [bytes(each) for each in _RAWS.decode(raw)]
    except (msgspec.DecodeError, RecursionError):
        if bytes(raw).lstrip().startswith(b"[") and (found := list(elements(bytes(raw)))):
            return found
        raise WhodidError("invalid", f"The body's {what} is no list.", "Send what the client sends.") from None


def value_of(raw: Raw | bytes | None) -> Any:
    """A JSON value in Python; None for what is not there or no JSON."""
    if raw is None:
        return None
    try:
        return msgspec.json.decode(storable_numbers(bytes(raw)))
    except (ValueError, RecursionError):
        return None


def text_of(raw: Raw | bytes | None) -> str | None:
    """The text of a JSON string that is not empty, or of a number; else None."""
    value = value_of(raw)
    if isinstance(value, str):
        return value or None
    if isinstance(value, int | float) and not isinstance(value, bool) and raw is not None:
        return bytes(raw).strip().decode()
    return None


def members_of(raw: Raw | bytes | None) -> Told | None:
    """The members of a JSON object, None if it is none."""
    if raw is None or not bytes(raw).lstrip().startswith(b"{"):
        return None
    try:
        return _OBJECT.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None


def take_text(told: Told, *names: str) -> str | None:
    """Take the first of `names` that is text out of what was told; the others stay."""
    for name in names:
        text = text_of(told.get(name))
        if text is not None:
            del told[name]
            return text
    return None


def take_time(told: Told, *names: str) -> datetime | None:
    """Take the first of `names` that is a time out of what was told.

    A time that would lose something (digits beyond microseconds) is read and stays; so does one that is none.
    """
    for name in names:
        value = value_of(told.get(name))
        time = time_of(value)
        if time is not None:
            if not (isinstance(value, str) and _digits_of_second(value) > 6):
                del told[name]
            return time
    return None


def time_of(value: object) -> datetime | None:
    """The instant that a value tells, or None."""
    if value is None or isinstance(value, bool):
        return None
    try:
        return times.instant(value)
    except (Unreadable, OverflowError):
        return None


def time_of_nanos(nanos: int) -> datetime | None:
    """The instant of epoch nanoseconds, cut to microseconds; None outside of the limits."""
    try:
        time = _EPOCH + timedelta(microseconds=nanos // 1000)
        return times.checked(time, nanos)
    except (Unreadable, OverflowError):
        return None


def _digits_of_second(text: str) -> int:
    fraction = text.partition(".")[2]
    return next((place for place, sign in enumerate(fraction) if not sign.isdigit()), len(fraction))


def level_of(name: object) -> str | None:
    """The level of a logger's name for it; None if that is unknown."""
    return LEVELS.get(name.strip().lower()) if isinstance(name, str) else None


def uuid_of(text: str) -> str | None:
    """A UUID in canonical text, also of 32 digits without hyphens."""
    if len(text) == 32:
        text = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    return canonical_uuid(text)


def join(parameters: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters with more of them; of two with one name the one that came later is called `event.NAME`."""
    for name, value in more.items():
        free = name
        while free in parameters:
            free = f"event.{free}"
        parameters[free] = value
    return parameters


def event_text(fields: Fields, parameters: Mapping[str, Any]) -> bytes:
    """The JSON text of an event. Texts beyond a field's limit are cut there and kept whole in the parameters."""
    kept = dict(parameters)
    told: Fields = {}
    for name, value in fields.items():
        if value is None:
            continue
        size_max = TEXT_SIZES_MAX.get(name)
        if isinstance(value, str) and size_max is not None and len(value) > size_max:
            join(kept, {name: value})
            value = value[:size_max]
        told[name] = utc_text(value) if isinstance(value, datetime) else value
    if kept:
        told["parameters"] = kept
    return msgspec.json.encode(told)


class Identities:
    """Ids for things that came without one: the same when the same request comes again.

    They are made of the time and the whole content; of equal things in one request each has its own.
    """

    def __init__(self) -> None:
        self._seen: dict[bytes, int] = {}

    def of(self, time: datetime, *content: bytes) -> str:
        digest = xxhash.xxh3_128(b"\0".join(content))
        number = self._seen[digest.digest()] = self._seen.get(digest.digest(), -1) + 1
        if number:
            digest.update(b"\0%d" % number)
        return content_id(int(time.timestamp() * 1000), digest.digest())


def decoded_of(pieces: Sequence[bytes], received_at: datetime) -> Decoded:
    """Events of their texts, within the limits of every event.

    Raises
    ------
    WhodidError("too_large")
        There are more than a request may hold.
    """
    check_count(len(pieces))
    return decode_pieces(pieces, received_at=received_at)


def check_count(count: int) -> None:
    """Raise WhodidError("too_large") for more events than a request may hold."""
    if count > REQUEST_EVENTS_MAX:
        raise WhodidError(
            "too_large",
            f"The request holds {count:,} events; {REQUEST_EVENTS_MAX:,} are the limit.",
            "Let the client send smaller batches.",
        )
