"""Events out of the store, for targets that begin before or have fallen behind what the journal keeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import Any, Final

import msgspec
from msgspec import Raw

from whodid.dispatch.delivery import Part, Run
from whodid.errors import WhodidError
from whodid.event import Entity, Event, Provenance
from whodid.reading.dialect import dialect_of
from whodid.stores.base import COLUMNS, Store
from whodid.targets.base import Offered

PAGE_NUMBERS: Final = 20_000
QUERY_TIMEOUT_MS: Final = 300_000
_SINCE: Final = 'AND e."time" >= CAST($since AS timestamp)'
_ENTITIES: Final = msgspec.json.Decoder(list[Entity])
_EVENT_COLUMNS: Final = tuple(
    column.name for column in COLUMNS if column.name in Event.__struct_fields__ and column.name != "entities"
)


def heads(store: Store) -> dict[str, int]:
    """By receiver the highest number that is stored."""
    table = _ask(store, "heads", {}, limit=100_000)
    return dict(zip(table["receiver"].to_pylist(), table["seq"].to_pylist(), strict=True))


def head(store: Store, receiver: str) -> int:
    """The highest stored number of one receiver; 0 before the first."""
    return int(_ask(store, "head", {"receiver": receiver})["seq"][0].as_py() or 0)


def count(store: Store, receiver: str, after: int, last: int) -> int:
    """How many events behind `after` up to `last` are stored."""
    params = {"receiver": receiver, "after": after, "last": last}
    return int(_ask(store, "count", params)["n"][0].as_py())


def missing(store: Store, receiver: str, ranges: Sequence[range]) -> tuple[int, ...]:
    """Which of these numbers are not stored: repeats of events that are, or a batch that was put aside."""
    after, last = ranges[0][0] - 1, ranges[-1][-1]
    expected = sum(map(len, ranges))
    if count(store, receiver, after, last) == expected:
        return ()
    params = {"receiver": receiver, "after": after, "last": last}
    held = set(_ask(store, "numbers", params, limit=expected + 1)["seq"].to_pylist())
    return tuple(seq for one in ranges for seq in one if seq not in held)


def page(
    store: Store,
    receiver: str,
    after: int,
    end: int,
    since: datetime | None = None,
    *,
    numbers: int = PAGE_NUMBERS,
) -> Run:
    """The next events of a receiver behind `after`, up to `end`; those that happened before `since` are left out.

    Raises as `Store.query`.
    """
    last = min(after + numbers, end)
    when = {"since": since} if since else {}
    try:
        table = _ask(
            store,
            "page",
            {"receiver": receiver, "after": after, "last": last, **when},
            limit=numbers,
            since=_SINCE if since else "",
        )
    except WhodidError as error:
        if error.code != "too_large" or numbers == 1:
            raise
        return page(store, receiver, after, end, since, numbers=max(1, numbers // 8))
    if not table.num_rows and last < end:
        # A wide gap is passed over at once.
        params = {"receiver": receiver, "after": last, **when}
        found = _ask(store, "next", params, since=_SINCE if since else "")["seq"][0].as_py()
        last = end if found is None else min(int(found) - 1, end)
    parts = list(_parts(offered_of(table))) if table.num_rows else []
    return Run(receiver=receiver, first=after + 1, last=last, parts=lambda: iter(parts), events=table.num_rows)


def rows_behind(
    store: Store, receiver: str, after: int, end: int, since: datetime | None = None, *, rows: int = PAGE_NUMBERS
) -> Run:
    """`page` for numbers with wide gaps between them: as many events as a page has, however far they lie apart."""
    when = {"since": since} if since else {}
    try:
        table = _ask(
            store,
            "page",
            {"receiver": receiver, "after": after, "last": end, **when},
            limit=rows,
            since=_SINCE if since else "",
        )
    except WhodidError as error:
        if error.code != "too_large" or rows == 1:
            raise
        return rows_behind(store, receiver, after, end, since, rows=max(1, rows // 8))
    last = int(table["seq"][-1].as_py()) if table.num_rows == rows else end
    parts = list(_parts(offered_of(table))) if table.num_rows else []
    return Run(receiver=receiver, first=after + 1, last=last, parts=lambda: iter(parts), events=table.num_rows)


def sample(store: Store, since: datetime, limit: int) -> tuple[list[Offered], bool]:
    """What happened since a time, at most `limit` events, and whether there are more."""
    from whodid.reading.read import columns

    sql = _text("sample").format(columns=columns(), events=dialect_of(store.kind).events)
    answer = store.query(sql, {"since": since}, limit=limit, timeout_ms=QUERY_TIMEOUT_MS, trusted=True)
    return list(offered_of(answer.table)), answer.truncated


def offered_of(table: Any) -> Iterator[Offered]:
    """The rows of a page (see `read.columns`) as events."""
    # Loaded here: an import, which starts an engine, needs no Arrow.
    from whodid.reading.read import typed

    table = typed(table)
    values = {name: table[name].to_pylist() for name in table.column_names}
    for place in range(table.num_rows):
        fields = {name: values[name][place] for name in _EVENT_COLUMNS}
        fields["parameters"] = Raw((fields["parameters"] or "{}").encode())
        provenance = Provenance(
            received_at=values["received_at"][place],
            receiver=values["receiver"][place],
            format=values["format"][place],
            key_id=values["key_id"][place],
            orig_address=values["orig_address"][place],
        )
        event = Event(entities=_ENTITIES.decode(values["entities"][place] or "[]"), **fields)
        yield Offered(values["seq"][place], event, provenance)


def _ask(store: Store, name: str, params: dict[str, Any], *, limit: int = 1, since: str = "") -> Any:
    from whodid.reading.read import columns

    sql = _text(name).format(columns=columns(), events=dialect_of(store.kind).events, since=since)
    return store.query(sql, params, limit=limit, timeout_ms=QUERY_TIMEOUT_MS, trusted=True).table


@cache
def _text(name: str) -> str:
    return (files("whodid.dispatch") / "sql" / f"{name}.sql").read_text("utf-8")


def _parts(offered: Iterator[Offered]) -> Iterator[Part]:
    for provenance, group in groupby(offered, key=lambda one: one.provenance):
        rows = list(group)
        yield Part(provenance, [one.seq for one in rows], [msgspec.json.encode(one.event) for one in rows])
