"""Taking in again what was rejected, once it can be read."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct

from whodid import formats
from whodid.datasets.decoding import payloads
from whodid.datasets.importer import drafts
from whodid.datasets.sinks import Sink, send_patiently
from whodid.errors import WhodidError
from whodid.formats.base import Decoded

Row = dict[str, Any]


class Replayed(Struct, kw_only=True):
    """What a replay did.

    events   events that came of what had been rejected.
    still    rejections that are still none; `reasons` says why, by their codes.
    cut      rejections of which only the beginning is kept.
    earlier  rejections that an earlier replay took in.
    """

    events: int = 0
    still: int = 0
    cut: int = 0
    earlier: int = 0
    reasons: dict[str, int] = {}


class Ledger:
    """Which rejections were taken in already, in a SQLite file."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._connection = sqlite3.connect(path, timeout=10, isolation_level=None)
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS replayed (receiver TEXT, seq INTEGER, place INTEGER, line INTEGER,"
            " PRIMARY KEY (receiver, seq, place, line)) WITHOUT ROWID"
        )

    def holds(self, row: Row) -> bool:
        sql = "SELECT 1 FROM replayed WHERE receiver = ? AND seq = ? AND place = ? AND line = ?"
        with closing(self._connection.execute(sql, _key(row))) as cursor:
            return cursor.fetchone() is not None

    def add(self, rows: Iterable[Row]) -> None:
        self._connection.execute("BEGIN")
        self._connection.executemany("INSERT OR IGNORE INTO replayed VALUES (?, ?, ?, ?)", map(_key, rows))
        self._connection.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()


class _Read(NamedTuple):
    row: Row
    decoded: Decoded


def replay(rows: Iterable[Row], sink: Sink, ledger: Ledger, *, format: str | None = None) -> Replayed:
    """Read rejections again and send the events that come of them.

    rows    as `/v1/rejects` gives them.
    format  read all of them as this format; by default each as the format it came in.
    """
    done = Replayed(reasons={})
    readable: dict[str, list[_Read]] = {}
    for row in rows:
        if ledger.holds(row):
            done.earlier += 1
            continue
        raw = raw_of(row)
        if raw is None:
            done.cut += 1
            continue
        name = format or row["format"]
        decoded = _decoder(name).decode(raw)
        if decoded.rejects or not decoded.count:
            code = decoded.rejects[0].code if decoded.rejects else "not_an_event"
            done.still += 1
            done.reasons[code] = done.reasons.get(code, 0) + 1
            continue
        done.events += decoded.count
        readable.setdefault(name, []).append(_Read(row, decoded))
    for name, reads in readable.items():
        _send(name, reads, sink, ledger)
    return done


def raw_of(row: Row) -> bytes | None:
    """The rejected input, or None when only its beginning is kept."""
    raw = row["raw"]
    if raw is None:
        return None
    data = base64.b64decode(raw) if row["raw_encoding"] == "base64" else str(raw).encode()
    return None if row["raw_size_bytes"] is not None and row["raw_size_bytes"] > len(data) else data


def _send(name: str, reads: Sequence[_Read], sink: Sink, ledger: Ledger) -> None:
    for begin in range(0, len(reads), 1000):
        part = reads[begin : begin + 1000]
        events = {event.id: event for read in part for event in read.decoded.events}
        for draft in drafts(payloads(Decoded(events=list(events.values()))), [], name, datetime.now(UTC)):
            send_patiently(sink, draft)
        ledger.add(read.row for read in part)


def _decoder(name: str) -> Any:
    try:
        return formats.decoder(name)
    except WhodidError:
        return formats.decoder("native")


def _key(row: Row) -> tuple[str, int, int, int]:
    return row["receiver"], row["seq"], row["index"], row["line"] or 0
