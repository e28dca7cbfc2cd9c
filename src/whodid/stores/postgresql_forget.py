"""Taking old events away from PostgreSQL: a stretch of whole hours at a time; triggers keep the counts by the hour."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from whodid.postgresql import Connection
from whodid.stores.base import Forgotten, whole_hour

# A day at once, or the hours of a day that has more events than this.
EVENTS_AT_ONCE: Final = 50_000

_OLDEST: Final = "SELECT min(event_time) FROM public.events WHERE source = %s AND event_time < %s"
_WAITING: Final = "SELECT count(*) FROM public.events WHERE source = %s AND event_time >= %s AND event_time < %s"
_ENTITIES: Final = """
DELETE FROM whodid.event_entities o USING public.events e
WHERE e.source = %s AND e.event_time >= %s AND e.event_time < %s AND o.event_id = e.id AND o.time = e.event_time
"""
_EVENTS: Final = "DELETE FROM public.events WHERE source = %s AND event_time >= %s AND event_time < %s"
# What the statistics count: events that are there.
_COUNTED: Final = """
UPDATE whodid.journal_position p SET events = greatest(0, p.events - g.events)
FROM (
    SELECT receiver, count(*) AS events FROM public.events
    WHERE source = %s AND event_time >= %s AND event_time < %s GROUP BY receiver
) g
WHERE g.receiver = p.receiver
"""


def forget(connection: Connection, level: str, before: datetime) -> Forgotten:
    """Take the oldest stretch of a level away, within the transaction of `connection`; see `Store.forget`."""
    end = whole_hour(before)
    row = connection.execute(_OLDEST, (level, end)).fetchone()
    if row is None or row[0] is None:
        return Forgotten(events=0, more=False)
    since = whole_hour(row[0])
    until = min(since + timedelta(days=1), end)
    counted = connection.execute(_WAITING, (level, since, until)).fetchone()
    if counted is not None and counted[0] > EVENTS_AT_ONCE:
        until = since + timedelta(hours=1)
    stretch = (level, since, until)
    connection.execute(_COUNTED, stretch)
    connection.execute(_ENTITIES, stretch)
    events = connection.execute(_EVENTS, stretch).rowcount
    return Forgotten(events=events, more=until < end)
