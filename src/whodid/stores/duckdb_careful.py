"""The careful way into DuckDB, for batches that its JSON reader refuses: event by event, by way of Arrow.

It mends what JSON allows and the engine does not (duplicate keys: the last one counts; lone surrogates and NUL become
U+FFFD). An event that fails even so is kept as a rejection with the engine's reason; its neighbours are stored.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import duckdb
import msgspec
import pyarrow as pa

from whodid.event import Event, Rejection
from whodid.journal.base import Batch, Frame
from whodid.stores.base import COLUMNS

_CHUNK_ROWS: Final = 2_000
_CHUNK_BYTES: Final = 4 * 1024 * 1024
_REPLACEMENT: Final = "\ufffd"
# What a table has behind the columns of its rows.
_WORKED_OUT: Final = {"staged_events": ", project_of(parameters::JSON, entities::JSON)", "staged_rejected_events": ""}
_NUL: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
_ARROW_TYPES: Final = {"timestamp": pa.timestamp("us"), "double": pa.float64(), "bigint": pa.int64()}
_EVENTS: Final = pa.schema([(column.name, _ARROW_TYPES.get(column.sql_type, pa.string())) for column in COLUMNS])
_REJECTS: Final = pa.schema(
    [
        ("received_at", pa.timestamp("us")),
        ("receiver", pa.string()),
        ("seq", pa.int64()),
        ("index", pa.int64()),
        ("code", pa.string()),
        ("message", pa.string()),
        ("line", pa.int64()),
        ("source", pa.string()),
        ("raw", pa.string()),
        ("raw_encoding", pa.string()),
        ("raw_size_bytes", pa.int64()),
        ("format", pa.string()),
        ("key_id", pa.string()),
        ("orig_address", pa.string()),
        ("id", pa.string()),
    ]
)

Row = dict[str, Any]


class _Item(NamedTuple):
    """An event on its way, with what a rejection of it would need."""

    frame: Frame
    place: int
    row: Row


def stage(connection: duckdb.DuckDBPyConnection, batch: Batch) -> None:
    """Add a batch's events to `staged_events` and its rejections to `staged_rejected_events`."""
    rejects: list[Row] = []
    for chunk in _chunks(_items(batch, rejects)):
        rejects.extend(_insert_events(connection, chunk))
    for start in range(0, len(rejects), _CHUNK_ROWS):
        _insert(connection, "staged_rejected_events", _REJECTS, rejects[start : start + _CHUNK_ROWS])


def mended(raw: bytes) -> str:
    """A JSON text that DuckDB takes: the last of duplicate keys, no lone surrogate, no NUL, no number beyond a double.

    Integers stay exact at any size; a number that no double can hold becomes its text.
    """
    if raw in (b"{}", b"null", b""):
        return "{}"
    value = json.loads(raw.decode("utf-8", "replace"), parse_float=_number)
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _clean_text(_NUL.sub(r"\1" + _REPLACEMENT, text))


def _chunks(items: Iterator[_Item]) -> Iterator[list[_Item]]:
    chunk: list[_Item] = []
    size_bytes = 0
    for item in items:
        chunk.append(item)
        size_bytes += sum(len(value) for value in item.row.values() if isinstance(value, str))
        if len(chunk) == _CHUNK_ROWS or size_bytes >= _CHUNK_BYTES:
            yield chunk
            chunk, size_bytes = [], 0
    if chunk:
        yield chunk


def _items(batch: Batch, rejects: list[Row]) -> Iterator[_Item]:
    for frame in batch.frames():
        rejects.extend(_reject_row(frame, reject) for reject in frame.rejects)
        for place, event in enumerate(frame.events):
            try:
                yield _Item(frame, place, _event_row(frame, place, event))
            except (ValueError, RecursionError) as problem:
                rejects.append(_refused(frame, place, str(problem)))


def _insert_events(connection: duckdb.DuckDBPyConnection, items: Sequence[_Item]) -> Iterator[Row]:
    """Insert events, halving the run at each refusal; yields a rejection for every event that fails alone."""
    try:
        _insert(connection, "staged_events", _EVENTS, [item.row for item in items])
    except (duckdb.DataError, duckdb.ProgrammingError, pa.ArrowInvalid, ValueError) as problem:
        if len(items) == 1:
            yield _refused(items[0].frame, items[0].place, str(problem))
            return
        middle = len(items) // 2
        yield from _insert_events(connection, items[:middle])
        yield from _insert_events(connection, items[middle:])


def _insert(connection: duckdb.DuckDBPyConnection, table: str, schema: pa.Schema, rows: Sequence[Row]) -> None:
    connection.register("careful_rows", pa.Table.from_pylist(list(rows), schema=schema))
    try:
        connection.execute(f"INSERT INTO {table} SELECT *{_WORKED_OUT[table]} FROM careful_rows")  # noqa: S608
    finally:
        connection.unregister("careful_rows")


def _event_row(frame: Frame, place: int, event: Event) -> Row:
    first = event.entities[0] if event.entities else None
    row = {name: getattr(event, name) for name in event.__struct_fields__}
    row |= _provenance(frame)
    row |= {
        "time": _naive(event.time),
        "entity_type": first.type if first else None,
        "entity_id": first.id if first else None,
        "entity_name": first.name if first else None,
        "entities": mended(msgspec.json.encode(event.entities)),
        "parameters": mended(bytes(event.parameters)),
        "seq": frame.seq + place,
    }
    return _clean(row)


def _reject_row(frame: Frame, reject: Rejection) -> Row:
    row = {name: getattr(reject, name) for name in reject.__struct_fields__}
    return _clean(row | _provenance(frame) | {"seq": frame.seq})


def _refused(frame: Frame, place: int, reason: str) -> Row:
    raw = msgspec.json.encode(frame.events[place])
    reject = Rejection(
        index=place,
        code="invalid",
        message=f"The store refused the event: {(reason.splitlines() or ['no reason given'])[0]}",
        raw=raw[: Rejection.RAW_BYTES_MAX].decode("utf-8", "ignore"),
        raw_size_bytes=len(raw),
    )
    return _reject_row(frame, reject)


def _provenance(frame: Frame) -> Row:
    row = {name: getattr(frame.provenance, name) for name in frame.provenance.__struct_fields__}
    return row | {"received_at": _naive(frame.provenance.received_at)}


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _clean(row: Row) -> Row:
    return {name: _clean_text(value) if isinstance(value, str) else value for name, value in row.items()}


def _clean_text(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", _REPLACEMENT)


def _number(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text
