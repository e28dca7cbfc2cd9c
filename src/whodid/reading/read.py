"""Questions that are asked often: pages of events, the activity and the usage of an entity or a user."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any, Final, NamedTuple

import msgspec
import pyarrow as pa
from msgspec import Struct

from whodid.errors import WhodidError
from whodid.reading import cursor
from whodid.reading.cells import microseconds, moment
from whodid.reading.definition import WORKED_OUT, definition, text_of
from whodid.reading.dialect import dialect_of
from whodid.reading.filters import EventFilter, sides
from whodid.reading.selection import Between, Groups, Selection, finding, select
from whodid.reading.sight import EVERYTHING, Sight
from whodid.reading.sight import condition as seen_by
from whodid.reading.times import instant
from whodid.stores.base import COLUMNS, MISSING, Result, Store

PAGE_ROWS: Final = 10_000
TOP_ROWS: Final = 20
LOOKS: Final = (timedelta(hours=1), timedelta(days=1), timedelta(days=30))
# Filters that few events pass: those are found faster in one look than in several.
SELECTIVE: Final = ("user", "entity", "session", "request_id", "error_hash", "parameter", *WORKED_OUT)
ROWS_MAX: Final = 10_000_000
TIMEOUT_MS: Final = 30_000
TIMEOUT_MS_MAX: Final = 600_000
SPAN_DEFAULT: Final = "7d"
MISSING_SPAN: Final = timedelta(days=30)

# What usage tells, and the file in sql/ that defines each part.
USAGE_PARTS: Final = ("numbers", "by_day", "by_type", "top_users", "top_entities", "top_errors", "durations")

_DEFINITIONS: Final = ("person", "run", "error")
_AS_TEXT: Final = ("uuid", "json")
_JSON_COLUMNS: Final = ("entities", "parameters")
JSON_MARK: Final = {b"whodid": b"json"}


class Page(NamedTuple):
    """Events of `stores.base.COLUMNS` in the filter's order; `next_cursor` leads on, None at the end.

    Ids are text, `entities` and `parameters` JSON text (fields marked with `JSON_MARK`), times UTC.
    """

    table: pa.Table
    next_cursor: str | None


class Usage(Struct, kw_only=True):
    """An overview of use between two times (UTC): for each of `USAGE_PARTS` a table, `numbers` with one row."""

    since: datetime
    until: datetime
    parts: dict[str, pa.Table]


def events(
    store: Store,
    groups: Groups,
    wanted: EventFilter,
    *,
    sight: Sight = EVERYTHING,
    timeout_ms: int = TIMEOUT_MS,
    now: datetime | None = None,
) -> Page:
    """One page of the events that a filter means and `sight` may see; `wanted.limit` rows at most.

    now  what relative times are counted from; this moment, when it is None.

    Raises
    ------
    WhodidError("invalid")
        The filter or its cursor cannot be read.
    WhodidError("timeout")
        The store was too slow; narrow the time range.
    """
    return _page(store, wanted, partial(_chosen, store, groups, wanted, now, sight), timeout_ms)


def event_pages(
    store: Store, groups: Groups, wanted: EventFilter, *, sight: Sight = EVERYTHING, timeout_ms: int = TIMEOUT_MS
) -> Iterator[Page]:
    """The events that a filter means as pages of at most `PAGE_ROWS` rows, `wanted.limit` rows in all."""
    left = wanted.limit
    # The pages of one answer share one span.
    now = datetime.now(UTC)
    while True:
        part = msgspec.structs.replace(wanted, limit=min(left, PAGE_ROWS))
        page = events(store, groups, part, sight=sight, timeout_ms=timeout_ms, now=now)
        yield page
        left -= page.table.num_rows
        if page.next_cursor is None or left <= 0:
            return
        wanted = msgspec.structs.replace(wanted, cursor=page.next_cursor)


def event(store: Store, event_id: str, *, sight: Sight = EVERYTHING, timeout_ms: int = TIMEOUT_MS) -> pa.Table:
    """The one event with this id; one that `sight` may not see is as good as none.

    Raises
    ------
    WhodidError("invalid")
        The id is no UUID.
    WhodidError("not_found")
        There is no such event.
    """
    try:
        wanted_id = str(uuid.UUID(event_id))
    except ValueError:
        raise WhodidError("invalid", f"{event_id[:100]!r} is no UUID.", "Events are known by UUIDs.") from None
    seen, params = seen_by(sight, dialect_of(store.kind))
    sql = statement("event", source=dialect_of(store.kind).events, columns=columns(), where=seen)
    table = store.query(sql, {"id": wanted_id, **params}, limit=1, timeout_ms=timeout_ms, trusted=True).table
    if not table.num_rows:
        raise WhodidError("not_found", f"There is no event {wanted_id}.", "It may not be stored yet: see /v1/status.")
    return typed(table)


def activity(
    store: Store, groups: Groups, wanted: EventFilter, *, sight: Sight = EVERYTHING, timeout_ms: int = TIMEOUT_MS
) -> Page:
    """What was done to the filter's entity or by its user, newest first; the last 7 days unless it says since when.

    `sql/activity.sql` says which events count as activity.
    """
    wanted = _with_span(wanted)

    def choose(between: Between = (None, None)) -> Selection:
        chosen = _chosen(store, groups, wanted, sight=sight, between=between)
        return chosen._replace(where=f"{chosen.where} AND {definition('activity')}")

    return _page(store, wanted, choose, timeout_ms)


def usage(
    store: Store, groups: Groups, wanted: EventFilter, *, sight: Sight = EVERYTHING, timeout_ms: int = TIMEOUT_MS
) -> Usage:
    """An overview of the events that a filter means; the last 7 days unless it says since when.

    What counts as a person, a run and an error is said in `sql/person.sql`, `sql/run.sql` and `sql/error.sql`.
    """
    now = datetime.now(UTC)
    wanted = _with_span(wanted)
    chosen = _chosen(store, groups, wanted, now, sight)
    meanings = {name: definition(name) for name in _DEFINITIONS}
    parts = {}
    for part in USAGE_PARTS:
        sql = statement(f"usage_{part}", source=chosen.source, where=chosen.where, limit=str(TOP_ROWS), **meanings)
        parts[part] = store.query(sql, chosen.params, timeout_ms=timeout_ms, trusted=True).table
    return Usage(
        since=instant(wanted.since or SPAN_DEFAULT, name="since", now=now),
        until=instant(wanted.until or now, name="until", now=now),
        parts=parts,
    )


def check_bounds(limit: int, timeout_ms: int) -> None:
    """Raises WhodidError("invalid") for a limit or a time that makes no sense."""
    if not 1 <= limit <= ROWS_MAX:
        raise WhodidError("invalid", f"limit is {limit}; it goes from 1 to {ROWS_MAX:,}.")
    if not 1 <= timeout_ms <= TIMEOUT_MS_MAX:
        raise WhodidError("invalid", f"timeout_ms is {timeout_ms}; it goes from 1 to {TIMEOUT_MS_MAX:,}.")


def query(
    store: Store,
    sql: str,
    params: Sequence[Any] | dict[str, Any] | None = None,
    *,
    limit: int = PAGE_ROWS,
    timeout_ms: int = TIMEOUT_MS,
) -> Result:
    """Answer a caller's own SELECT; columns named `entities` and `parameters` are taken as the JSON they are.

    Raises
    ------
    See `Store.query`; WhodidError("invalid") also for a limit or a time that makes no sense.
    """
    check_bounds(limit, timeout_ms)
    answer = store.query(sql, params, limit=limit, timeout_ms=timeout_ms)
    fields = [
        field.with_metadata(JSON_MARK) if field.name in _JSON_COLUMNS and pa.types.is_string(field.type) else field
        for field in answer.table.schema
    ]
    return Result(pa.Table.from_arrays(answer.table.columns, schema=pa.schema(fields)), answer.truncated)


def rejects(store: Store, *, limit: int = 100, offset: int = 0, timeout_ms: int = TIMEOUT_MS) -> Result:
    """What was rejected and kept, the latest first: columns of `sql/rejects.sql`."""
    if not 1 <= limit <= PAGE_ROWS or not 0 <= offset <= ROWS_MAX:
        raise WhodidError("invalid", f"limit goes from 1 to {PAGE_ROWS:,}, offset from 0 to {ROWS_MAX:,}.")
    sql = statement("rejects", source=dialect_of(store.kind).rejected_events, limit=str(limit + 1), offset=str(offset))
    return store.query(sql, limit=limit, timeout_ms=timeout_ms, trusted=True)


def missing(store: Store) -> Result:
    """What the store was found to lack in the last `MISSING_SPAN`, the latest first: columns of `sql/missing.sql`."""
    sql = statement("missing", source=dialect_of(store.kind).rejected_events)
    params = {"code": MISSING, "since": (datetime.now(UTC) - MISSING_SPAN).replace(tzinfo=None)}
    return store.query(sql, params, limit=TOP_ROWS, timeout_ms=TIMEOUT_MS, trusted=True)


def _chosen(
    store: Store,
    groups: Groups,
    wanted: EventFilter,
    now: datetime | None = None,
    sight: Sight = EVERYTHING,
    between: Between = (None, None),
) -> Selection:
    return select(wanted, dialect_of(store.kind), groups, now, sight=sight, find=finding(store), between=between)


def _page(store: Store, wanted: EventFilter, choose: Callable[..., Selection], timeout_ms: int) -> Page:
    """A page of what is chosen: looked for near its beginning first, then behind that, until it is full.

    choose  the selection; of a thing that many events touched besides, only what did so `between` two times.
    """
    whole = chosen = choose()
    newest_first = wanted.order == "newest"
    near, behind = (">=", "<") if newest_first else ("<=", ">")
    place = None if wanted.cursor is None else cursor.decode(wanted.cursor, wanted)
    deadline = time.monotonic() + timeout_ms / 1000
    found: list[pa.Table] = []
    left = wanted.limit
    looked_at: datetime | None = None
    for bound in _bounds(wanted, place, is_rare=not whole.many):
        if whole.many:
            chosen = choose(between=(bound, looked_at) if newest_first else (looked_at, bound))
        within, of_look = chosen.where, dict(chosen.params)
        if place is not None:
            within = f"{within} AND {_behind(behind)}"
            of_look.update(cursor_time=place.time, cursor_id=place.id)
        for name, sign, at in (("bound", near, bound), ("looked_at", behind, looked_at)):
            if at is not None:
                within = f'{within} AND e."time" {sign} CAST(${name} AS timestamp)'
                of_look[name] = at
        sql = statement(
            "events",
            columns=columns(),
            source=chosen.source,
            where=within,
            direction="DESC" if newest_first else "ASC",
            limit=str(left + 1),
        )
        left_ms = max(1, int(1000 * (deadline - time.monotonic())))
        answer = store.query(sql, of_look, limit=left, timeout_ms=left_ms, trusted=True)
        found.append(typed(answer.table))
        left -= answer.table.num_rows
        looked_at = bound
        if answer.truncated:
            break
    table = pa.concat_tables(found)
    if not answer.truncated:
        return Page(table, None)
    last = table.num_rows - 1
    at = moment(microseconds(table.column("time"))[last].as_py())
    return Page(table, cursor.encode(cursor.Place(at, table.column("id")[last].as_py()), wanted))


def _bounds(wanted: EventFilter, place: cursor.Place | None, *, is_rare: bool) -> Iterator[datetime | None]:
    """How far from a page's beginning to look, ever further, at last without bound.

    A page that is full within a bound is the right one, as everything beyond it comes later in the order. A narrow
    look costs a hundredth of one at everything.

    is_rare  whether what was done with a thing is found faster in one look.
    """
    now = datetime.now(UTC)
    newest_first = wanted.order == "newest"
    start, end = (wanted.until or now, wanted.since) if newest_first else (wanted.since, wanted.until)
    if place is not None:
        start = place.time
    selective = [name for name in SELECTIVE if name != "entity" or is_rare]
    if start is not None and not any(sides(getattr(wanted, name)).wanted for name in selective):
        begin = instant(start, name="until" if newest_first else "since", now=now)
        span = None if end is None else abs(instant(end, name="since", now=now) - begin)
        # Few events of an hour hold a text, mostly.
        for step in LOOKS if wanted.text is None else LOOKS[1:]:
            if span is not None and step * 2 > span:
                break
            with suppress(OverflowError):
                yield begin - step if newest_first else begin + step
    yield None


def _behind(sign: str) -> str:
    """Events behind the cursor; the first condition alone lets an engine skip what lies before it."""
    at, place = 'e."time"', "CAST($cursor_time AS timestamp)"
    return f'{at} {sign}= {place} AND ({at} {sign} {place} OR e."id" {sign} CAST($cursor_id AS uuid))'


def statement(name: str, **parts: str) -> str:
    """The statement in `sql/<name>.sql` with its `{parts}` filled in."""
    sql = text_of(name)
    for part, text in parts.items():
        sql = sql.replace(f"{{{part}}}", text)
    return sql


@cache
def columns() -> str:
    """The columns of a page of events, of the relation `e`; ids and JSON as text."""
    return ", ".join(
        f'CAST(e."{column.name}" AS varchar) AS "{column.name}"'
        if column.sql_type in _AS_TEXT
        else f'e."{column.name}"'
        for column in COLUMNS
    )


@cache
def events_schema() -> pa.Schema:
    """The columns of a page of events."""
    types = {
        "timestamp": pa.timestamp("us", tz="UTC"),
        "double": pa.float64(),
        "bigint": pa.int64(),
    }
    return pa.schema(
        [
            pa.field(
                column.name,
                types.get(column.sql_type, pa.string()),
                metadata=JSON_MARK if column.sql_type == "json" else None,
            )
            for column in COLUMNS
        ]
    )


def typed(table: pa.Table) -> pa.Table:
    """A page of events in the types of `events_schema`."""
    return table.cast(events_schema())


def _with_span(wanted: EventFilter) -> EventFilter:
    return wanted if wanted.since is not None else msgspec.structs.replace(wanted, since=SPAN_DEFAULT)
