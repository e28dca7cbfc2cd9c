"""Following the events live: what was stored since the last look, by each receiver's running numbers."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec
import pyarrow as pa

from whodid.errors import WhodidError
from whodid.reading.dialect import dialect_of
from whodid.reading.filters import EventFilter
from whodid.reading.output import rows
from whodid.reading.read import columns, statement, typed
from whodid.reading.selection import Groups, select
from whodid.reading.sight import EVERYTHING, Sight
from whodid.stores.base import Store
from whodid.typed import decode

# Live is what happened lately: an import of old events does not flood those who watch.
LIVE_S: Final = 15 * 60
ROWS_MAX: Final = 1_000

Positions = dict[str, int]


class Look(NamedTuple):
    """What came since the last look, oldest first; `skipped` when there was more than `ROWS_MAX`."""

    table: pa.Table
    skipped: bool


class Tail:
    """A place in the stream of stored events that a filter means. It keeps no events, only how far it has read.

    Methods block; one thread at a time.
    """

    def __init__(
        self,
        store: Store,
        groups: Groups,
        wanted: EventFilter,
        after: str | None = None,
        sight: Sight = EVERYTHING,
    ):
        """Begin at the end, or behind the event whose `mark` is `after`. Raises WhodidError("invalid")."""
        self._store = store
        chosen = select(wanted, dialect_of(store.kind), groups, sight=sight)
        self._source, self._where, self._params = chosen.source, chosen.where, chosen.params
        self._events = dialect_of(store.kind).events
        self._at = self._heads({}) if after is None else _read_mark(after)
        self._marks: list[str] = []

    def look(self) -> Look | None:
        """What came since; None when nothing did."""
        heads = self._heads(self._at)
        if not heads:
            return None
        params = {**self._params, "since": _since()}
        newer = _newer(self._at, params, heads)
        sql = statement(
            "tail",
            columns=columns(),
            source=self._source,
            where=self._where,
            newer=newer,
            limit=str(ROWS_MAX + 1),
        )
        answer = self._store.query(sql, params, limit=ROWS_MAX, trusted=True)
        found = _in_order(typed(answer.table))
        self._marks = list(self._marks_of(found))
        self._at = {**self._at, **heads}
        return Look(found, answer.truncated)

    def events(self, look: Look) -> list[tuple[str, dict[str, Any]]]:
        """The events of the last look, each with its mark: what `after` takes."""
        return list(zip(self._marks, rows(look.table), strict=True))

    def _marks_of(self, table: pa.Table) -> Iterator[str]:
        at = dict(self._at)
        for receiver, seq in zip(table["receiver"].to_pylist(), table["seq"].to_pylist(), strict=True):
            at[receiver] = max(seq, at.get(receiver, -1))
            yield base64.urlsafe_b64encode(msgspec.json.encode(at)).rstrip(b"=").decode()

    def _heads(self, known: Positions) -> Positions:
        """The receivers whose numbers have grown, and how far."""
        params: dict[str, Any] = {"since": _since()}
        sql = statement("tail_heads", source=self._events, newer=_newer(known, params))
        table = self._store.query(sql, params, limit=100_000, trusted=True).table
        return dict(zip(table["receiver"].to_pylist(), table["seq"].to_pylist(), strict=True))


def _newer(known: Positions, params: dict[str, Any], heads: Positions | None = None) -> str:
    """Events beyond what is known of each receiver, of new receivers all; no further than `heads`."""
    ways = []
    for number, receiver in enumerate(dict.fromkeys([*known, *(heads or {})])):
        params[f"r{number}"] = receiver
        params[f"s{number}"] = known.get(receiver, -1)
        way = f'e."receiver" = CAST($r{number} AS varchar) AND e."seq" > CAST($s{number} AS bigint)'
        if heads is not None:
            params[f"h{number}"] = heads.get(receiver, known.get(receiver, -1))
            way += f' AND e."seq" <= CAST($h{number} AS bigint)'
        ways.append(f"({way})")
    if heads is None:
        names = ", ".join(f"CAST($r{number} AS varchar)" for number in range(len(known)))
        ways.append(f'e."receiver" NOT IN ({names})' if known else "TRUE")
    return " OR ".join(ways)


def _in_order(table: pa.Table) -> pa.Table:
    """By time received, but of each receiver by its running numbers, which requests at once get in another order.

    A reader who goes on behind a number has seen all before it.
    """
    names = ("receiver", "seq", "received_at")
    numbered = sorted(zip(*(table[name].to_pylist() for name in names), range(table.num_rows), strict=True))
    latest: dict[str, datetime] = {}
    places = []
    for receiver, seq, received_at, place in numbered:
        latest[receiver] = max(received_at, latest.get(receiver, received_at))
        places.append((latest[receiver], receiver, seq, place))
    return table.take(pa.array([place for *_, place in sorted(places)], pa.int64()))


def _since() -> datetime:
    return (datetime.now(UTC) - timedelta(seconds=LIVE_S)).replace(tzinfo=None)


def _read_mark(mark: str) -> Positions:
    try:
        at = decode(base64.b64decode(mark + "=" * (-len(mark) % 4), b"-_", True), Positions)
    except (ValueError, msgspec.DecodeError):
        raise WhodidError(
            "invalid", "The id of the last event cannot be read.", "Send it as it came, or leave it out."
        ) from None
    if len(at) > 1_000 or any(not -1 <= seq < 2**63 for seq in at.values()):
        raise WhodidError("invalid", "The id of the last event is none of ours.", "Leave it out.")
    return at
