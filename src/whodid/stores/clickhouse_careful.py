"""Bringing a batch's frames to ClickHouse: as they are, or event by event where its JSON reader refuses them.

The careful way mends what JSON allows and the engine does not (a session or a hash that is no UUID). An event that
fails even so is kept as a rejection with the engine's reason; its neighbours are stored.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
from clickhouse_connect.driver.exceptions import ClickHouseError

from whodid.event import Event, Rejection, foreign_id
from whodid.journal.base import Batch, Frame
from whodid.stores import migrate
from whodid.stores.clickhouse_client import is_of_data, reason_of
from whodid.stores.clickhouse_session import Session

_CHUNK_EVENTS: Final = 5_000
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_ADD: Final = migrate.statements("clickhouse", "load")["add_frames"]
# How the engine reads a frame: objects and lists that a column of text is for stay the text they are.
_AS_TEXT: Final = {
    "input_format_json_read_objects_as_strings": 1,
    "input_format_json_read_arrays_as_strings": 1,
    "input_format_skip_unknown_fields": 1,
    "input_format_json_ignore_unknown_keys_in_named_tuple": 1,
    "input_format_json_defaults_for_missing_elements_in_named_tuple": 1,
    "input_format_json_max_depth": 10_000,
    "date_time_input_format": "best_effort",
    # One thread: a refused insert leaves nothing.
    "max_insert_threads": 1,
}


class _Item(NamedTuple):
    """An event on its way, with its frame and its place in it."""

    frame: Frame
    place: int
    event: Event


def add(session: Session, batch: Batch) -> None:
    """Add the frames of a batch to the session's table `frames`."""
    if batch.path is not None:
        try:
            session.run(_ADD, batch.path.read_bytes(), **_AS_TEXT)
            return
        except ClickHouseError as problem:
            if not is_of_data(problem):
                raise
    items: list[_Item] = []
    for frame in batch.frames():
        if frame.rejects:
            _send(session, [_line(frame, frame.seq, [], frame.rejects)])
        items += [_Item(frame, place, event) for place, event in enumerate(frame.events)]
        if len(items) >= _CHUNK_EVENTS:
            _add_events(session, items)
            items = []
    _add_events(session, items)


def _add_events(session: Session, items: Sequence[_Item]) -> None:
    """Add events, halving the run at each refusal; one that fails alone becomes a rejection."""
    if not items:
        return
    try:
        _send(session, [_line(item.frame, item.frame.seq + item.place, [_mended(item.event)], []) for item in items])
    except (ClickHouseError, ValueError, RecursionError) as problem:
        if isinstance(problem, ClickHouseError) and not is_of_data(problem):
            raise
        if len(items) == 1:
            _send(session, [_refused(items[0], reason_of(problem))])
            return
        middle = len(items) // 2
        _add_events(session, items[:middle])
        _add_events(session, items[middle:])


def _send(session: Session, lines: Sequence[bytes]) -> None:
    session.run(_ADD, b"\n".join(lines) + b"\n", **_AS_TEXT)


def _line(frame: Frame, seq: int, events: Sequence[Event], rejects: Sequence[Rejection]) -> bytes:
    """A frame's line with some of its events."""
    told: dict[str, Any] = {
        **msgspec.to_builtins(frame.provenance),
        "seq": seq,
        "events": list(events),
        "rejects": list(rejects),
    }
    return msgspec.json.encode(told)


def _refused(item: _Item, reason: str) -> bytes:
    raw = msgspec.json.encode(item.event)
    rejection = Rejection(
        index=item.place,
        code="invalid",
        message=f"The store refused the event: {reason}",
        raw=raw[: Rejection.RAW_BYTES_MAX].decode("utf-8", "ignore"),
        raw_size_bytes=len(raw),
    )
    return _line(item.frame, item.frame.seq, [], [rejection])


def _mended(event: Event) -> Event:
    session = event.session if event.session is None else _uuid_text(event.session)
    error_hash = event.error_hash if event.error_hash is None else _uuid_text(event.error_hash)
    return msgspec.structs.replace(event, session=session, error_hash=error_hash)


def _uuid_text(text: str) -> str:
    """The UUID that a foreign session or hash is stored under: itself where it is one."""
    if _UUID.fullmatch(text):
        return text
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return foreign_id(text)
