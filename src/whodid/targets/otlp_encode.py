"""Log records in OTLP's two encodings: protobuf, and JSON with ids in hex and 64-bit numbers as text."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from whodid.errors import WhodidError
from whodid.targets.otlp_record import Around, Attributes, Record

_INT64: Final = range(-(2**63), 2**63)
_FIXED64, _BYTES, _FIXED32 = 1, 2, 5
# Numbers as varints.
_SMALL: Final[tuple[bytes, ...]] = tuple(
    bytes((value,)) if value < 128 else bytes((value & 127 | 128, value >> 7)) for value in range(16_384)
)

# Records that have something in common, encoded.
Group = tuple[Around, Sequence[bytes]]


class Partial(NamedTuple):
    """What an answer says: how many records were rejected, and why."""

    rejected: int
    message: str


class Encoding(Protocol):
    """One of the two."""

    media_type: str

    def record(self, record: Record) -> bytes: ...
    def request(self, groups: Sequence[Group]) -> bytes:
        """An ExportLogsServiceRequest."""

    def answer(self, body: bytes) -> Partial:
        """Read an ExportLogsServiceResponse. Raises WhodidError("invalid") when it is none."""

    def status(self, body: bytes) -> str:
        """The message of a google.rpc.Status; empty when it is none."""


class Protobuf:
    media_type = "application/x-protobuf"

    def record(self, record: Record) -> bytes:
        parts = [_fixed64(1, record.time_ns), _number(2, record.severity_number), _text(3, record.severity_text)]
        if record.body is not None:
            parts.append(_bytes(5, _any(record.body)))
        parts += [_bytes(6, pair) for pair in _pairs(record.attributes)]
        if record.flags:
            parts.append(_key(8, _FIXED32) + struct.pack("<I", record.flags))
        parts += [_bytes(9, bytes.fromhex(record.trace_id)), _bytes(10, bytes.fromhex(record.span_id))]
        parts += [_fixed64(11, record.observed_ns), _text(12, record.event_name)]
        return b"".join(parts)

    def request(self, groups: Sequence[Group]) -> bytes:
        return b"".join([_bytes(1, self._resource_logs(around, records)) for around, records in groups])

    def _resource_logs(self, around: Around, records: Sequence[bytes]) -> bytes:
        resource = b"".join([_bytes(1, pair) for pair in _pairs(around.resource)])
        scope = _text(1, around.scope_name) + _text(2, around.scope_version)
        scope += b"".join([_bytes(3, pair) for pair in _pairs(around.scope)])
        scope_logs = _bytes(1, scope) + b"".join([_bytes(2, record) for record in records])
        return _bytes(1, resource) + _bytes(2, scope_logs)

    def answer(self, body: bytes) -> Partial:
        rejected, message = 0, ""
        for number, partial in _read(body):
            if number == 1 and isinstance(partial, bytes):
                fields = dict(_read(partial))
                rejected, message = _signed(fields.get(1, 0)), _decoded(fields.get(2, b""))
        return Partial(rejected, message)

    def status(self, body: bytes) -> str:
        try:
            return _decoded(dict(_read(body)).get(2, b""))
        except WhodidError:
            return ""


class Json:
    media_type = "application/json"

    def record(self, record: Record) -> bytes:
        told: dict[str, Any] = {
            "timeUnixNano": str(record.time_ns),
            "observedTimeUnixNano": str(record.observed_ns),
            "severityNumber": record.severity_number,
            "severityText": record.severity_text,
            "eventName": record.event_name,
            "attributes": _json_pairs(record.attributes),
        }
        if record.body is not None:
            told["body"] = _json_any(record.body)
        ids = {"traceId": record.trace_id, "spanId": record.span_id, "flags": record.flags}
        return msgspec.json.encode({**told, **{name: value for name, value in ids.items() if value}})

    def request(self, groups: Sequence[Group]) -> bytes:
        return b'{"resourceLogs":[' + b",".join([self._resource_logs(*group) for group in groups]) + b"]}"

    def _resource_logs(self, around: Around, records: Sequence[bytes]) -> bytes:
        scope = {"name": around.scope_name, "version": around.scope_version, "attributes": _json_pairs(around.scope)}
        return b'{"resource":{"attributes":%b},"scopeLogs":[{"scope":%b,"logRecords":[%b]}]}' % (
            msgspec.json.encode(_json_pairs(around.resource)),
            msgspec.json.encode(scope),
            b",".join(records),
        )

    def answer(self, body: bytes) -> Partial:
        try:
            told = msgspec.json.decode(body or b"{}", type=dict[str, Any]).get("partialSuccess") or {}
            return Partial(int(told.get("rejectedLogRecords") or 0), str(told.get("errorMessage") or ""))
        except (msgspec.MsgspecError, ValueError, AttributeError, TypeError):
            raise _strange() from None

    def status(self, body: bytes) -> str:
        try:
            return str(msgspec.json.decode(body, type=dict[str, Any]).get("message") or "")
        except msgspec.MsgspecError:
            return ""


ENCODINGS: Final[dict[str, Encoding]] = {"protobuf": Protobuf(), "json": Json()}


def _strange() -> WhodidError:
    return WhodidError("invalid", "The answer is none of OTLP.", "Check url: it has to be an OTLP/HTTP receiver.")


def _varint(value: int) -> bytes:
    if 0 <= value < 16_384:
        return _SMALL[value]
    value &= 2**64 - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _key(number: int, kind: int) -> bytes:
    return _SMALL[number << 3 | kind]


def _number(number: int, value: int) -> bytes:
    return _SMALL[number << 3] + _varint(value)


def _fixed64(number: int, value: int) -> bytes:
    return _SMALL[number << 3 | _FIXED64] + struct.pack("<Q", value)


def _bytes(number: int, value: bytes) -> bytes:
    return _SMALL[number << 3 | _BYTES] + _varint(len(value)) + value


def _text(number: int, value: str) -> bytes:
    return _bytes(number, value.encode()) if value else b""


@lru_cache(maxsize=4_096)
def _name(name: str) -> bytes:
    """The first half of a KeyValue."""
    return _bytes(1, name.encode()) + _SMALL[2 << 3 | _BYTES]


def _pairs(attributes: Attributes) -> list[bytes]:
    pairs = []
    for name, value in attributes.items():
        told = _any(value)
        pairs.append(
            b"%b%b%b" % (_name(name) if len(name) < 200 else _name.__wrapped__(name), _varint(len(told)), told)
        )
    return pairs


def _any(value: Any) -> bytes:
    encode = _ANY.get(type(value))
    return encode(value) if encode is not None else b""


def _any_text(value: str) -> bytes:
    data = value.encode()
    return b"\x0a%b%b" % (_varint(len(data)), data)


def _any_number(value: int) -> bytes:
    return _number(3, value) if value in _INT64 else _any_text(str(value))


def _any_list(value: list[Any]) -> bytes:
    return _bytes(5, b"".join([_bytes(1, _any(item)) for item in value]))


def _any_object(value: dict[str, Any]) -> bytes:
    return _bytes(6, b"".join([_bytes(1, pair) for pair in _pairs(value)]))


_ANY: Final[dict[type, Callable[[Any], bytes]]] = {
    str: _any_text,
    bool: lambda value: _number(2, value),
    int: _any_number,
    float: lambda value: _SMALL[4 << 3 | _FIXED64] + struct.pack("<d", value),
    list: _any_list,
    dict: _any_object,
}


def _json_pairs(attributes: Attributes) -> list[dict[str, Any]]:
    return [{"key": name, "value": _json_any(value)} for name, value in attributes.items()]


def _json_any(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue" if value in _INT64 else "stringValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_json_any(item) for item in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": _json_pairs(value)}}
    return {}


def _read(body: bytes) -> list[tuple[int, int | bytes]]:
    """The fields of a message. Raises WhodidError("invalid")."""
    fields: list[tuple[int, int | bytes]] = []
    at = 0
    while at < len(body):
        key, at = _read_varint(body, at)
        kind = key & 7
        if kind == 0:
            value, at = _read_varint(body, at)
            fields.append((key >> 3, value))
            continue
        length = {_FIXED64: 8, _FIXED32: 4}.get(kind)
        if kind == _BYTES:
            length, at = _read_varint(body, at)
        if length is None or at + length > len(body):
            raise _strange()
        fields.append((key >> 3, body[at : at + length]))
        at += length
    return fields


def _read_varint(body: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(10):
        if at + place >= len(body):
            break
        byte = body[at + place]
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value, at + place + 1
    raise _strange()


def _signed(value: int | bytes) -> int:
    return value if isinstance(value, int) and value < 2**63 else 0


def _decoded(value: int | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""
