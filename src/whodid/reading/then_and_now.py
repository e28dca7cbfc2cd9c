"""What is told of events besides what they hold: what their thing is called now, and whether their clock was off."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from whodid.reading.cells import microseconds, text_columns

NAME_NOW: Final = "entity_name_now"
CLOCK_SKEW: Final = "clock_skew_s"

# An event that was sent as it happened arrives within moments. One from the future can only come of a wrong clock; one
# from days ago may also have waited at its sender until it could be sent.
AHEAD_S: Final = 5 * 60
BEHIND_S: Final = 24 * 3600
_US: Final = 1_000_000


class Names(Protocol):
    """What is asked of the directory."""

    def entity_names_now(self, things: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """What things, by type and id, are called now."""


def then_and_now(table: pa.Table, names: Names) -> pa.Table:
    """Events with two more columns.

    entity_name_now  what the first entity is called now (`entity_name`: then).
    clock_skew_s     seconds from receipt to the time that the event tells, where the sender's clock must have been off:
                     more than `AHEAD_S` ahead, or more than `BEHIND_S` behind (or it was sent that late). Empty
                     otherwise, and for events that were imported.
    """
    things = list(zip(*(table.column(name).to_pylist() for name in ("entity_type", "entity_id")), strict=True))
    known = names.entity_names_now({thing for thing in things if None not in thing})
    now = pa.array([known.get(thing) for thing in things], pa.string())
    return table.append_column(NAME_NOW, now).append_column(CLOCK_SKEW, clock_skew(table))


def clock_skew(table: pa.Table) -> pa.ChunkedArray:
    """The column `clock_skew_s` of events."""
    told, received = (microseconds(table.column(name)) for name in ("time", "received_at"))
    seconds = pc.divide(pc.cast(pc.subtract(told, received), pa.float64()), float(_US))
    off = pc.or_(pc.greater(seconds, AHEAD_S), pc.less(seconds, -BEHIND_S))
    # What was imported was received later by its nature; only what was posted has an address.
    imported = pc.fill_null(pc.starts_with(table.column("format"), "dss-"), False)
    sent = pc.and_not(pc.is_valid(table.column("orig_address")), imported)
    return pc.if_else(pc.fill_null(pc.and_(off, sent), False), seconds, pa.scalar(None, pa.float64()))


def in_words(table: pa.Table) -> pa.Table:
    """Events for people: `entity_name` as "then (now: …)" where it changed, `time` with both times where the sender's
    clock must have been off."""
    skews = (table.column(CLOCK_SKEW) if CLOCK_SKEW in table.schema.names else clock_skew(table)).to_pylist()
    if NAME_NOW in table.schema.names:
        pairs = zip(table.column("entity_name").to_pylist(), table.column(NAME_NOW).to_pylist(), strict=True)
        named = [f"{then} (now: {now})" if then and now and then != now else then or now for then, now in pairs]
        table = _with(table, "entity_name", named).drop_columns([NAME_NOW])
    if CLOCK_SKEW in table.schema.names:
        table = table.drop_columns([CLOCK_SKEW])
    if any(skew is not None for skew in skews):
        names = ("time", "received_at")
        moments = zip(skews, *(text_columns(table.select([name]))[0] for name in names), strict=True)
        told = [f"{at} (received {received})" if skew is not None else at for skew, at, received in moments]
        table = _with(table, "time", told)
    return table


def _with(table: pa.Table, name: str, values: list[str | None]) -> pa.Table:
    index = table.schema.get_field_index(name)
    return table.set_column(index, name, pa.array(values, pa.string()))
