"""Taking old events away from ClickHouse: a day of a level at a time, as a whole partition where nothing else is in it.

A deletion writes the parts of that day anew, with what the engine keeps of them in projections. The engine's other
kind, a mark on each row, would leave the rows in projections, and answers that come from there.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from whodid.stores import clickhouse_counting
from whodid.stores.base import Forgotten, whole_hour
from whodid.stores.clickhouse_params import literal
from whodid.stores.clickhouse_session import Session

_WHICH: Final = "level = {level} AND time >= {since} AND time < {until}"
_OLDEST: Final = "SELECT minOrNull(time) FROM events WHERE level = {level} AND time < {end}"
_COUNTED: Final = "SELECT countIf({which}), count() FROM events WHERE time >= {day} AND time < {next_day}"
_MARK: Final = "DELETE FROM {table}{on_cluster} WHERE {which}"
_DELETE: Final = "ALTER TABLE {table}{on_cluster} DELETE WHERE {which}"
_DROP: Final = "ALTER TABLE {table}{on_cluster} DROP PARTITION {partition}"


def forget(session: Session, level: str, before: datetime, *, turn: int, suffix: str, on_cluster: str) -> Forgotten:
    """Take the oldest stretch of a level away, within a turn; see `Store.forget`.

    suffix  of the names of the tables that hold the rows.
    """
    end = whole_hour(before)
    words = {"level": literal(level), "end": literal(end)}
    oldest = session.rows(_OLDEST.format(**words))[0][0]
    if oldest is None:
        return Forgotten(events=0, more=False)
    since = whole_hour(oldest.replace(tzinfo=UTC))
    day = since.replace(hour=0)
    next_day = day + timedelta(days=1)
    until = min(next_day, end)
    which = _WHICH.format(level=literal(level), since=literal(since), until=literal(until))
    counted = _COUNTED.format(which=which, day=literal(day), next_day=literal(next_day))
    events, of_day = (int(number) for number in session.rows(counted)[0])
    session.run(clickhouse_counting.changed(f"day = {day:%Y%m%d}", turn))
    place = {"on_cluster": on_cluster, "which": which, "partition": f"{day:%Y%m%d}"}
    session.run(_MARK.format(table=f"event_entities{suffix}", **place), lightweight_deletes_sync=2)
    if events == of_day:
        session.run(_DROP.format(table=f"events{suffix}", **place), alter_sync=2)
    else:
        session.run(_DELETE.format(table=f"events{suffix}", **place), mutations_sync=2)
    return Forgotten(events=events, more=until < end)
