"""What the store keeps beside its events for reports: behind them by as many as are quick to count when asked.

Counting a load by itself would cost a tenth of storing it and gather little. So events wait until they are many, and
the views of `stores.base.KEPT` join what was counted with what waits. A transaction that counts also replaces the view
of what waits, so that whoever asks sees each event once. Whoever takes events away takes their counts with them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

import duckdb

from whodid.stores import migrate

# Who asks reads each event that waits, 0.1 µs for a tile; a counting leaves a row for every key that occurs in it. So
# events wait until they are a part of all: rows of a key are some hundreds, however many events come in.
_WAITING_SHARE: Final = 1 / 400
# Counting fewer at once costs more of each: 50,000 4.1 µs, 100,000 3.3, 400,000 2.0.
_WAITING_LEAST: Final = 50_000
# Where more than that comes in meanwhile, and in bulk, few and large countings leave more for storing: up to here.
PAUSE_S: Final = 5.0
WAITING_MAX: Final = 1_000_000
# While more and more comes in, storing goes first up to here.
WAITING_MAX_BUSY: Final = 5_000_000

# What is kept, and the statement that makes it of what waits. Further things of events are no relation by themselves.
_COUNTING: Final = {
    "thing_hours": "sum_things",
    "touched_hours": "sum_things",
    "user_hours": "sum_users",
    "flow_hours": "sum_hours",
    "run_hours": "events",
    "session_hours": "distinct_hours",
    "error_events": "events",
    "error_entities": "events",
    "query_events": "events",
    "answer_events": "events",
    "outcome_events": "events",
    "login_events": "events",
    "item_events": "events",
    "usage_events": "events",
    "usage_hours": "most_hours",
    "pod_events": "events",
}
# Days, the statement that makes them, and the hours that they are made of.
_DAYS: Final = {
    "thing_days": ("sum_days_of_things", "thing_hours"),
    "touched_days": ("sum_days_of_things", "touched_hours"),
    "user_days": ("sum_days", "user_hours"),
    "session_days": ("distinct_days", "session_hours"),
    "flow_days": ("sum_days", "flow_hours"),
    "usage_days": ("most_days", "usage_hours"),
}
# Columns of hours that days do not have: whoever did it.
_LEFT_OUT: Final = {"flow_days": '"user", acting_for, person, who, '}
# In what rows of an hour or day are alike that reports look for or gather: these lie together. So a thing is found in
# two fifths of the time, what is done is gathered in two thirds of it, and pages take 6 to 20 % less.
_ALIKE: Final = {
    **dict.fromkeys(("thing_hours", "touched_hours"), ("entity_type", "entity_id", "type", "function", "who")),
    "user_hours": ("who",),
    "run_hours": ("function",),
}
EVENTS: Final = tuple(relation for relation, statement in _COUNTING.items() if statement == "events")


def show(connection: duckdb.DuckDBPyConnection) -> int:
    """Make the views of what waits and of days; returns how many events wait."""
    _show_days(connection)
    branches = [
        _sql("branch").format(condition=f"receiver = '{_quoted(receiver)}' AND seq > {seq}")
        for receiver, seq in connection.execute(_sql("known")).fetchall()
    ] or [_sql("branch").format(condition="FALSE")]
    connection.execute(_sql("uncounted_view").format(branches="\nUNION ALL\n".join(branches)))
    return int(connection.execute(_sql("waiting")).fetchall()[0][0])


def waiting_max(events: int) -> int:
    """How many of so many events may wait to be counted while there is nothing else to do."""
    return min(WAITING_MAX, max(_WAITING_LEAST, int(events * _WAITING_SHARE)))


def add(connection: duckdb.DuckDBPyConnection, own_rows: int) -> None:
    """Let the rows of the connection's transaction, whose row ids begin at `own_rows`, wait to be counted."""
    known = dict(connection.execute(_sql("known")).fetchall())
    for receiver, first in connection.execute(_sql("own_range"), {"own_rows": own_rows}).fetchall():
        if receiver not in known:
            connection.execute(_sql("learn"), {"receiver": receiver})
            show(connection)
        elif first <= known[receiver]:
            # Numbers that came before are used anew, as by a journal out of a backup.
            forget(connection)


def count(connection: duckdb.DuckDBPyConnection, own_rows: int) -> None:
    """Count what waits. In a transaction of its own, whose row ids begin at `own_rows`."""
    for relation, statement in _COUNTING.items():
        order = _order("hour" if relation.endswith("_hours") else "time", relation)
        told = f"told_{relation}"
        connection.execute(_sql(statement).format(relation=relation, told=told, own_rows=own_rows, order=order))
    _sum_days(connection, "rowid >= $own_rows", {"own_rows": own_rows})
    for receiver, seq in connection.execute(_sql("counted_up_to")).fetchall():
        connection.execute(_sql("advance"), {"receiver": receiver, "seq": seq})
    show(connection)
    if (since := _one(connection, "first_census", {"own_rows": own_rows})) is not None:
        reopen_pods(connection, since)
    _close_pods(connection)


def reopen_pods(connection: duckdb.DuckDBPyConnection, since: datetime) -> None:
    """Let what pods held from this hour (UTC) on be told of the censuses: there are others, or some are gone."""
    connection.execute(_sql("reopen_pods"), {"since": since})
    connection.execute(_sql("drop_pods"))


def _close_pods(connection: duckdb.DuckDBPyConnection) -> None:
    """Keep by the hour what pods held in hours that are over. Nothing waits to be counted."""
    if (until := _one(connection, "last_census", {})) is not None:
        connection.execute(_sql("close_pods"), {"until": until})
        connection.execute(_sql("closed_pods"), {"until": until})


def forget(connection: duckdb.DuckDBPyConnection) -> None:
    """Count everything anew."""
    for relation in (*_COUNTING, *_DAYS):
        connection.execute(f"DELETE FROM kept_{relation}")  # noqa: S608 (names of our own)
    connection.execute(_sql("forget"))
    reopen_pods(connection, datetime.min)
    show(connection)


def count_days_anew(connection: duckdb.DuckDBPyConnection, since: datetime, until: datetime) -> None:
    """Make the days in which these times (UTC) and those between them lie of what there is of their hours."""
    first = since.replace(hour=0, minute=0, second=0, microsecond=0)
    given = {"since": first, "until": first + timedelta(days=1 + (until - first) // timedelta(days=1))}
    for relation in _DAYS:
        connection.execute(_sql("drop_days").format(relation=relation), given)
    _sum_days(connection, "hour >= $since AND hour < $until", given)


def _show_days(connection: duckdb.DuckDBPyConnection) -> None:
    """Let rows by the hour that are also those by the day be among these, where there are any.

    Whoever asks plans a millisecond longer for them; what is made of days is of the tables themselves where it can be.
    """
    days = {}
    for relation, (statement, hours) in _DAYS.items():
        if statement != "sum_days_of_things":
            continue
        has_any = connection.execute(_sql("has_days").format(hours=hours)).fetchone() is not None
        more = _sql("days_of_hours").format(hours=hours) if has_any else ""
        connection.execute(f"{_sql('days_view').format(relation=relation)} {more}")
        days[relation] = f"counted_{relation}" if has_any else f"kept_{relation}"
    for view in ("event_days_view", "entity_days_view"):
        connection.execute(_sql(view).format(**days))


def _sum_days(connection: duckdb.DuckDBPyConnection, among: str, given: dict[str, Any]) -> None:
    for relation, (statement, hours) in _DAYS.items():
        told, order, left_out = f"kept_{hours}", _order("day", hours), _LEFT_OUT.get(relation, "")
        sql = _sql(statement).format(relation=relation, told=told, among=among, order=order, left_out=left_out)
        connection.execute(sql, given)


def _one(connection: duckdb.DuckDBPyConnection, name: str, given: dict[str, Any]) -> Any:
    row = connection.execute(_sql(name), given).fetchone()
    return row[0] if row else None


def _order(time: str, relation: str) -> str:
    """The columns by which a relation's rows are put in order, `time` first."""
    return ", ".join((time, *_ALIKE.get(relation, ())))


@cache
def _sql(name: str) -> str:
    return migrate.statements("duckdb", "hours")[name]


def _quoted(text: str) -> str:
    return text.replace("'", "''")
