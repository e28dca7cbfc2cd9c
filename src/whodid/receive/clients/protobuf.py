"""Reading and writing the few protobuf messages that OTLP needs, by tables, in the shape of OTLP's JSON.

The generated classes would bring two more packages to every installation for eight messages.
Source: protobuf's encoding (protobuf.dev/programming-guides/encoding), opentelemetry-proto 1.x.
"""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from whodid.errors import WhodidError
from whodid.event import NESTING_MAX

_VARINT: Final = 0
_FIXED64: Final = 1
_BYTES: Final = 2
_FIXED32: Final = 5
_SIZES_BYTES: Final = {_FIXED64: 8, _FIXED32: 4}


class Member(NamedTuple):
    """A field of a message: its name in JSON, its wire type, how its value is read, whether it is a list."""

    name: str
    wire: int
    read: Callable[[Any], Any] | str
    repeated: bool = False


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _double(data: bytes) -> float | str:
    """A number, or its name in protobuf's JSON where JSON has no number for it."""
    value: float = struct.unpack("<d", data)[0]
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _text(data: bytes) -> str:
    text = data.decode(errors="backslashreplace")
    return text.replace("\0", "␀") if "\0" in text else text


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


# A `read` that is text names another message.
MESSAGES: Final[Mapping[str, Mapping[int, Member]]] = {
    "ExportLogsServiceRequest": {1: Member("resourceLogs", _BYTES, "ResourceLogs", True)},
    "ResourceLogs": {
        1: Member("resource", _BYTES, "Resource"),
        2: Member("scopeLogs", _BYTES, "ScopeLogs", True),
        3: Member("schemaUrl", _BYTES, _text),
    },
    "Resource": {
        1: Member("attributes", _BYTES, "KeyValue", True),
        2: Member("droppedAttributesCount", _VARINT, int),
    },
    "ScopeLogs": {
        1: Member("scope", _BYTES, "InstrumentationScope"),
        2: Member("logRecords", _BYTES, "LogRecord", True),
        3: Member("schemaUrl", _BYTES, _text),
    },
    "InstrumentationScope": {
        1: Member("name", _BYTES, _text),
        2: Member("version", _BYTES, _text),
        3: Member("attributes", _BYTES, "KeyValue", True),
        4: Member("droppedAttributesCount", _VARINT, int),
    },
    "LogRecord": {
        1: Member("timeUnixNano", _FIXED64, _number),
        2: Member("severityNumber", _VARINT, int),
        3: Member("severityText", _BYTES, _text),
        5: Member("body", _BYTES, "AnyValue"),
        6: Member("attributes", _BYTES, "KeyValue", True),
        7: Member("droppedAttributesCount", _VARINT, int),
        8: Member("flags", _FIXED32, _number),
        9: Member("traceId", _BYTES, bytes.hex),
        10: Member("spanId", _BYTES, bytes.hex),
        11: Member("observedTimeUnixNano", _FIXED64, _number),
        12: Member("eventName", _BYTES, _text),
    },
    "KeyValue": {1: Member("key", _BYTES, _text), 2: Member("value", _BYTES, "AnyValue")},
    "AnyValue": {
        1: Member("stringValue", _BYTES, _text),
        2: Member("boolValue", _VARINT, bool),
        3: Member("intValue", _VARINT, _signed),
        4: Member("doubleValue", _FIXED64, _double),
        5: Member("arrayValue", _BYTES, "ArrayValue"),
        6: Member("kvlistValue", _BYTES, "KeyValueList"),
        7: Member("bytesValue", _BYTES, _base64),
    },
    "ArrayValue": {1: Member("values", _BYTES, "AnyValue", True)},
    "KeyValueList": {1: Member("values", _BYTES, "KeyValue", True)},
}


def read(message: str, data: bytes, depth: int = 0) -> dict[str, Any]:
    """A message of `MESSAGES` as OTLP's JSON would have it (integers as numbers). Unknown fields are passed over.

    Raises
    ------
    WhodidError("invalid")
        The bytes are no such message, or values are nested too deep.
    """
    if depth > 2 * NESTING_MAX:
        raise _broken(f"values are nested more than {NESTING_MAX} deep")
    members = MESSAGES[message]
    found: dict[str, Any] = {}
    at, end = 0, len(data)
    try:
        while at < end:
            # Nearly every tag and length is one byte; those are read without a call.
            tag, at = data[at], at + 1
            if tag > 0x7F:
                tag, at = _varint(data, at - 1)
            wire = tag & 7
            value: Any
            if wire == _VARINT:
                value, at = _varint(data, at)
            else:
                if wire == _BYTES:
                    size_bytes, at = data[at], at + 1
                    if size_bytes > 0x7F:
                        size_bytes, at = _varint(data, at - 1)
                else:
                    size_bytes = _SIZES_BYTES[wire]
                begin, at = at, at + size_bytes
                if at > end:
                    raise _broken("it is cut off")
                value = data[begin:at]
            member = members.get(tag >> 3)
            if member is not None:
                _put(found, member, value, wire, depth)
    except (IndexError, KeyError):
        raise _broken("it is cut off, or has an unknown wire type") from None
    return found


def _put(found: dict[str, Any], member: Member, value: Any, wire: int, depth: int) -> None:
    name, wanted, reader, repeated = member
    if wire != wanted:
        raise _broken(f"the field {name} has the wire type {wire}")
    told = read(reader, value, depth + 1) if isinstance(reader, str) else reader(value)
    if not repeated:
        found[name] = told
    elif name in found:
        found[name].append(told)
    else:
        found[name] = [told]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise _broken("it is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
    raise _broken("a number has no end")


def _broken(why: str) -> WhodidError:
    return WhodidError("invalid", f"The body is no OTLP protobuf: {why}.", "Send application/json, or mend the sender.")


def write(number: int, value: int | str | bytes) -> bytes:
    """A field of a message: a number that is not negative, or text, or a message that is written already."""
    if isinstance(value, int):
        return _written_varint(number << 3 | _VARINT) + _written_varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _written_varint(number << 3 | _BYTES) + _written_varint(len(data)) + data


def _written_varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
