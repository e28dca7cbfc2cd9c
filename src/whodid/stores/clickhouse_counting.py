"""What the store keeps beside its events for reports: whole days of UTC, counted when there is nothing to store.

ClickHouse has no transactions, so a day's counts hold by a row that says so (table `counted_days`). A writer that is
about to change a counted day takes that back first, within its turn; a counting says that it begins, counts without
holding a turn, and says that it is whole only when nobody has taken that back meanwhile. Who asks reads these rows
once, and then the counts of the days that they name and the events of all others; so every answer is of one state of
each day. Counts that hold no longer are dropped later than any question may last.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any, Final, NamedTuple

from whodid.stores import clickhouse_turns, migrate
from whodid.stores.base import KEPT
from whodid.stores.clickhouse_params import literal
from whodid.stores.clickhouse_session import Session

# A day that has changed is left alone for so long, and one that somebody else counts.
CHANGED_S: Final = 600
COUNTING_S: Final = 3_600
# Days to count are looked for no more often.
LOOK_S: Final = 10.0
# One call counts for about so long; a statement counts no more rows than this (0.3 s on two cores).
STEP_S: Final = 1.0
ROWS_AT_ONCE: Final = 1_000_000
# Beyond any question's time limit.
PASSED_S: Final = 1_800.0

_SUMS: Final = {
    "events": "sum", "uses": "sum", "runs": "sum", "errors": "sum", "failed": "sum", "row_count": "sumOrNull",
    "first": "min", "last": "max", "entity_name": "max",
}  # fmt: skip
# What is made of the events, an hour or more at a time, and then what is made of that.
_OF_EVENTS: Final = (
    "thing_hours", "touched_hours", "session_hours", "flow_hours", "error_events", "query_events", "login_events",
    "item_events", "usage_events", "pod_events",
)  # fmt: skip
_OF_COUNTS: Final = {
    "user_hours": "thing_hours",
    "user_days": "user_hours",
    "thing_days": "thing_hours",
    "touched_days": "touched_hours",
    "session_days": "session_hours",
}
TABLES: Final = (*_OF_EVENTS, *_OF_COUNTS)
_COLUMNS: Final = {**KEPT, "touched_hours": KEPT["entity_hours"], "touched_days": KEPT["entity_days"]}
_SETTINGS: Final[dict[str, Any]] = {"max_bytes_before_external_group_by": 2 * 1024**3}

# A turn to write, for the length of a block.
Turn = Callable[[], AbstractContextManager[int]]


class _Day(NamedTuple):
    """A day (as 20261231) that is being counted, by which counting, and the statements that are left."""

    day: int
    number: int
    statements: list[str]


class Counting:
    """The counting of one process. Its methods are called by one thread at a time, but for `holding`.

    parts      the relation that tells of parts, with the condition that they are the store's and active.
    suffix     of the names of tables that hold rows.
    ttl_days   the engine's own limit of age: counts of days that it may be about to touch hold no longer.
    """

    def __init__(self, *, parts: str, suffix: str, on_cluster: str, ttl_days: int | None):
        self._words = {"{parts}": parts, "{suffix}": suffix}
        self._suffix = suffix
        self._on_cluster = on_cluster
        self._ttl_days = ttl_days
        self._day: _Day | None = None
        self._look_at_s = 0.0
        self._passed: dict[tuple[str, int], float] = {}

    def holding(self, rows: Callable[[str], list[tuple[Any, ...]]]) -> dict[str, list[int]]:
        """The parameters of statements that read counts: the countings that hold, and the days that they are of."""
        found = rows(self._said("holding"))
        # Lists of numbers have one at least, or nobody knows that they are of numbers.
        return {"countings": [0, *(row[1] for row in found)], "counted_days": [0, *(row[0] for row in found)]}

    def step(self, session: Session, turn: Turn) -> None:
        """Count for a moment: go on with a day, or begin one that waits, if there is any."""
        until_s = time.monotonic() + STEP_S
        while True:
            # A day that fails is left to a later counting.
            day, self._day = self._day or self._begun(session, turn), None
            if day is None:
                return
            if day.statements:
                session.run(day.statements[0], **_SETTINGS)
                self._day = day._replace(statements=day.statements[1:])
            else:
                self._finish(session, turn, day)
            if time.monotonic() >= until_s:
                return

    def _begun(self, session: Session, turn: Turn) -> _Day | None:
        if time.monotonic() < self._look_at_s:
            return None
        found = session.rows(self._said("waiting"))
        if not found:
            self._look_at_s = time.monotonic() + LOOK_S
            self._drop_passed(session)
            return None
        day, rows = found[0]
        with turn() as number_of_turn:
            clickhouse_turns.see_all(session, self._on_cluster, ("events_local", "counted_days"))
            (number,) = session.rows(self._said("next_number"))[0]
            session.run(self._of_turn("begin", day, number, number_of_turn))
        return _Day(day, number, _statements_of(day, number, rows))

    def _finish(self, session: Session, turn: Turn, day: _Day) -> None:
        tables = tuple(f"kept_{table}{self._suffix}" for table in TABLES)
        clickhouse_turns.see_all(session, self._on_cluster, tables)
        with turn() as number_of_turn:
            session.run(self._of_turn("finish", day.day, day.number, number_of_turn))

    def _drop_passed(self, session: Session) -> None:
        """Drop counts that nobody can be reading any more."""
        now = time.monotonic()
        found = [(str(table), int(counting)) for table, counting in session.rows(self._said("passed"))]
        self._passed = {one: self._passed.get(one, now) for one in found}
        for (table, counting), since in self._passed.items():
            if now - since >= PASSED_S:
                session.run(f"ALTER TABLE {table}{self._on_cluster} DROP PARTITION {counting}")

    def _of_turn(self, name: str, day: int, number: int, turn: int) -> str:
        said = self._said(name).replace("{in_turn}", clickhouse_turns.condition(turn))
        return said.replace("{day}", str(day)).replace("{number}", str(number))

    def _said(self, name: str) -> str:
        aged = 0
        if self._ttl_days is not None:
            aged = int(f"{datetime.now(UTC) + timedelta(hours=1) - timedelta(days=self._ttl_days):%Y%m%d}")
        sql = _sql()[name]
        words = {**self._words, "{aged}": str(aged), "{counting_s}": str(COUNTING_S), "{changed_s}": str(CHANGED_S)}
        for word, said in {**words, "{latest}": _sql()["latest"]}.items():
            sql = sql.replace(word, said)
        return sql


def changed(which: str, turn: int) -> str:
    """The statement that takes back what is counted of some days, before they change.

    which  the condition on their `day`.
    """
    sql = _sql()["changed"].replace("{latest}", _sql()["latest"])
    return sql.replace("{which}", which).replace("{in_turn}", clickhouse_turns.condition(turn))


def _statements_of(day: int, number: int, rows: int) -> list[str]:
    """The statements that count a day of so many rows."""
    begin = datetime.strptime(str(day), "%Y%m%d")
    parts = min(24, 1 + rows // ROWS_AT_ONCE)
    edges = [begin + timedelta(hours=24 * part // parts) for part in range(parts + 1)]
    statements = []
    for since, until in pairwise(edges):
        within = f"toYYYYMMDD(time) = {day} AND time >= {literal(since)} AND time < {literal(until)}"
        statements += [_counting(table, number, f"told_{table}", within) for table in _OF_EVENTS]
    for table, source in _OF_COUNTS.items():
        statements.append(_counting(table, number, f"kept_{source}", f"counting = {number}", begin))
    return statements


def _counting(table: str, number: int, source: str, where: str, begin: datetime | None = None) -> str:
    """The statement that adds to a table what rows of a source come to; `begin` is of a day."""
    columns = _COLUMNS[table]
    if table.endswith("_events"):
        said, grouped = list(columns), ""
    else:
        keys = [column for column in columns if column not in _SUMS and column != "day"]
        said = [f"{literal(begin)} AS day"] if "day" in columns else []
        said += [*keys, *(f"{_SUMS[column]}({column}) AS {column}" for column in columns if column in _SUMS)]
        grouped = f" GROUP BY {', '.join(keys)}"
    names = [said_one.rpartition(" AS ")[2] for said_one in said]
    return (
        f"INSERT INTO kept_{table} (counting, {', '.join(names)}) "  # noqa: S608 (names of our own)
        f"SELECT {number}, {', '.join(said)} FROM {source} WHERE {where}{grouped}"
    )


@cache
def _sql() -> dict[str, str]:
    return migrate.statements("clickhouse", "counting")
