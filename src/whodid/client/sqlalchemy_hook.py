"""Audits changes of rows that a program makes through SQLAlchemy, with what they were before and after.

It watches the engine, below ORM and Core: flushes, bulk updates and deletes, executemany and single statements alike.
Rows that a statement will change are read before it with its own condition, and read again after it; for an insert the
values are known. Changes become events when their transaction is committed; rolled back ones, savepoints too, do not.
Statements written as text are not seen.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Delete, Engine, Insert, Table, Update, and_, event, or_, select

from whodid.client.arguments import CHARS_MAX, ITEMS_MAX, is_secret
from whodid.client.encode import REDACTED, plain
from whodid.client.logger import Logger
from whodid.client.message import fresh_id

ROWS_MAX: Final = 1_000
_KEYS_AT_ONCE: Final = 200
_TYPES: Final = {"insert": "row-created", "update": "row-edited", "delete": "row-deleted"}

Row = dict[str, Any]


class _Change(NamedTuple):
    """One row that a statement changed, or (without `before` and `after`) how many rows beyond those told."""

    kind: str
    table: Table
    before: Row | None
    after: Row | None
    rows: int = 1


class _Pending:
    """The changes of the transaction that a connection is in."""

    def __init__(self) -> None:
        self.changes: list[_Change] = []
        self.marks: list[int] = []
        self.reading: list[tuple[Any, list[Row], int]] = []


class RowAudit:
    """The listeners on one engine; `remove` takes them off again."""

    def __init__(
        self,
        engine: Engine,
        logger: Logger,
        *,
        tables: Iterable[Any] | None,
        leave_out: Iterable[Any],
        redact: Iterable[str],
        rows_max: int,
    ):
        self._engine = engine
        self._logger = logger
        self._tables = None if tables is None else {_name_of(each) for each in tables}
        self._left_out = {_name_of(each) for each in leave_out}
        self._redact = tuple(redact)
        self._rows_max = rows_max
        self._pending: weakref.WeakKeyDictionary[Connection, _Pending] = weakref.WeakKeyDictionary()
        # By the identity of what the dialect is given to commit.
        self._committing: dict[int, _Pending] = {}
        self._listeners: list[tuple[str, Callable[..., Any]]] = [
            ("before_execute", self._before),
            ("after_execute", self._after),
            ("begin", self._begin),
            ("commit", self._commit),
            ("commit_twophase", self._commit),
            ("rollback", self._rollback),
            ("rollback_twophase", self._rollback),
            ("savepoint", self._savepoint),
            ("rollback_savepoint", self._rollback_savepoint),
            ("release_savepoint", self._release_savepoint),
        ]
        for name, listener in self._listeners:
            event.listen(engine, name, listener)
        self._watch_commits(engine)

    def remove(self) -> None:
        """Audit nothing any more."""
        for name, listener in self._listeners:
            event.remove(self._engine, name, listener)

    def _before(self, connection: Connection, statement: Any, multi: Any, single: Any, options: Any) -> None:
        if not isinstance(statement, (Update, Delete)) or not self._is_wanted(statement.table):
            return
        pending = self._of(connection)
        try:
            rows, beyond = self._rows(connection, statement, _parameter_sets(multi, single))
        except Exception as error:
            self._logger.count_failure(error)
            return
        pending.reading.append((statement, rows, beyond))

    def _after(
        self, connection: Connection, statement: Any, multi: Any, single: Any, options: Any, result: Any
    ) -> None:
        if not isinstance(statement, (Insert, Update, Delete)) or not self._is_wanted(statement.table):
            return
        pending = self._of(connection)
        try:
            if isinstance(statement, Insert):
                pending.changes.extend(self._inserted(statement, result))
            else:
                pending.changes.extend(self._changed(connection, pending, statement))
        except Exception as error:
            self._logger.count_failure(error)
        if connection.get_transaction() is None or _is_autocommit(connection):
            self._emit(pending)

    def _rows(self, connection: Connection, statement: Any, sets: Sequence[Mapping[str, Any]]) -> tuple[list[Row], int]:
        """The rows that a statement will change, as they are; and how many parameter sets were not looked up."""
        table: Table = _table_of(statement.table)
        query = select(*table.c).select_from(statement.table)
        if statement.whereclause is not None:
            query = query.where(statement.whereclause)
        rows: list[Row] = []
        for number, parameters in enumerate(sets):
            room = self._rows_max - len(rows)
            if room <= 0:
                return rows, len(sets) - number
            found = connection.execute(query.limit(room + 1), dict(parameters)).all()
            rows.extend(_row(table, row) for row in found[:room])
            if len(found) > room:
                return rows, -1
        return rows, 0

    def _changed(self, connection: Connection, pending: _Pending, statement: Any) -> list[_Change]:
        found = next((each for each in reversed(pending.reading) if each[0] is statement), None)
        if found is None:
            return []
        pending.reading.clear()
        _, before, beyond = found
        table = _table_of(statement.table)
        kind = "delete" if isinstance(statement, Delete) else "update"
        after = {} if kind == "delete" else self._again(connection, table, before)
        changes = []
        for row in before:
            row_after = after.get(_key(table, row))
            if kind == "delete" or row_after != row:
                changes.append(_Change(kind, table, row, row_after))
        if beyond:
            changes.append(_Change(kind, table, None, None, beyond))
        return changes

    def _again(self, connection: Connection, table: Table, rows: list[Row]) -> dict[tuple[Any, ...], Row]:
        columns = list(table.primary_key.columns)
        if not columns:
            return {}
        found: dict[tuple[Any, ...], Row] = {}
        for start in range(0, len(rows), _KEYS_AT_ONCE):
            part = rows[start : start + _KEYS_AT_ONCE]
            if len(columns) == 1:
                condition: Any = columns[0].in_([row[columns[0].name] for row in part])
            else:
                condition = or_(*(and_(*(column == row[column.name] for column in columns)) for row in part))
            for each in connection.execute(select(*table.c).where(condition)):
                row = _row(table, each)
                found[_key(table, row)] = row
        return found

    def _inserted(self, statement: Insert, result: Any) -> list[_Change]:
        table = _table_of(statement.table)
        if statement.select is not None:
            return [_Change("insert", table, None, None, result.rowcount)]
        names = {column.key: column.name for column in table.c}
        many = [dict(row) for group in getattr(statement, "_multi_values", ()) for row in group]
        sets = many or list(result.context.compiled_parameters)
        keys = [] if many else _inserted_keys(result)
        changes = []
        for number, values in enumerate(sets[: self._rows_max]):
            row = {names[_key_name(name)]: value for name, value in values.items() if _key_name(name) in names}
            if number < len(keys) and keys[number] is not None:
                row |= {
                    column.name: value
                    for column, value in zip(table.primary_key.columns, keys[number], strict=False)
                    if value is not None
                }
            changes.append(_Change("insert", table, None, row))
        if len(sets) > self._rows_max:
            changes.append(_Change("insert", table, None, None, len(sets) - self._rows_max))
        return changes

    def _begin(self, connection: Connection) -> None:
        self._pending.pop(connection, None)

    def _commit(self, connection: Connection, *_: Any) -> None:
        pending = self._pending.pop(connection, None)
        if pending is not None and pending.changes:
            self._committing[id(connection.connection)] = pending

    def _watch_commits(self, engine: Engine) -> None:
        """SQLAlchemy tells of a commit before it makes it; it may still fail, and then nothing has changed."""
        dialect: Any = engine.dialect

        def watched(commit: Callable[..., Any]) -> Callable[..., Any]:
            def do_commit(connection: Any, *more: Any, **options: Any) -> None:
                pooled = connection.connection if isinstance(connection, Connection) else connection
                pending = self._committing.pop(id(pooled), None)
                commit(connection, *more, **options)
                if pending is not None:
                    self._emit(pending)

            return do_commit

        dialect.do_commit = watched(dialect.do_commit)
        dialect.do_commit_twophase = watched(dialect.do_commit_twophase)

    def _rollback(self, connection: Connection, *_: Any) -> None:
        self._pending.pop(connection, None)

    def _savepoint(self, connection: Connection, name: str) -> None:
        pending = self._of(connection)
        pending.marks.append(len(pending.changes))

    def _rollback_savepoint(self, connection: Connection, name: str, context: None) -> None:
        pending = self._of(connection)
        if pending.marks:
            del pending.changes[pending.marks.pop() :]

    def _release_savepoint(self, connection: Connection, name: str, context: None) -> None:
        pending = self._of(connection)
        if pending.marks:
            pending.marks.pop()

    def _of(self, connection: Connection) -> _Pending:
        pending = self._pending.get(connection)
        if pending is None:
            pending = self._pending[connection] = _Pending()
        return pending

    def _emit(self, pending: _Pending) -> None:
        changes, pending.changes = pending.changes, []
        transaction = fresh_id()
        for change in changes:
            try:
                self._log(change, transaction)
            except Exception as error:
                self._logger.count_failure(error)

    def _log(self, change: _Change, transaction: str) -> None:
        name = change.table.fullname
        params: dict[str, Any] = {"table": name, "transaction": transaction}
        row = change.after or change.before
        if row is None:
            params["rows"] = change.rows if change.rows >= 0 else f"more than {self._rows_max}"
            self._logger.emit("audit", f"{_TYPES[change.kind]}-beyond", "more rows of @table changed", params)
            return
        before, after = change.before, change.after
        if before is not None and after is not None:
            changed = [column for column in before if before[column] != after.get(column)]
            before, after = ({column: each[column] for column in changed} for each in (before, after))
        if before is not None:
            params["before"] = self._told(before)
        if after is not None:
            params["after"] = self._told(after)
        key = [row[column.name] for column in change.table.primary_key.columns if row.get(column.name) is not None]
        title = row.get("name", row.get("title"))
        entity = (name, ",".join(map(str, key)), title if isinstance(title, str) else None)
        kind = _TYPES[change.kind]
        verb = {"insert": "created", "update": "changed", "delete": "deleted"}[change.kind]
        self._logger.emit("audit", kind, f"a row of @table was {verb}", params, entities=[entity] if key else [])

    def _told(self, row: Row) -> Row:
        return {
            name: REDACTED
            if is_secret(name) or is_secret(name, self._redact)
            else plain(value, chars_max=CHARS_MAX, items_max=ITEMS_MAX, is_secret=is_secret)
            for name, value in row.items()
        }

    def _is_wanted(self, target: Any) -> bool:
        name = getattr(target, "fullname", None) or getattr(target, "name", "")
        return name not in self._left_out and (self._tables is None or name in self._tables)


def audit_rows(
    engine: Engine,
    logger: Logger,
    *,
    tables: Iterable[Any] | None = None,
    leave_out: Iterable[Any] = (),
    redact: Iterable[str] = (),
    rows_max: int = ROWS_MAX,
) -> RowAudit:
    """Log every row that a program creates, changes or deletes through `engine`; see the module.

    engine     of an `AsyncEngine` give its `sync_engine`.
    tables     only these (names, Tables or mapped classes); `leave_out` all but these.
    redact     columns (`*` allowed) told as "[redacted]", beside those that sound like secrets.
    rows_max   rows told one by one for a statement; how many there are beyond them is told in one event.
    Returns    what `remove()`s it.
    """
    return RowAudit(engine, logger, tables=tables, leave_out=leave_out, redact=redact, rows_max=rows_max)


def _name_of(given: Any) -> str:
    table = getattr(given, "__table__", given)
    return table if isinstance(table, str) else str(table.fullname)


def _table_of(target: Any) -> Table:
    """The table itself of what the ORM has put its notes on."""
    metadata = getattr(target, "metadata", None)
    found: Table = metadata.tables.get(target.key, target) if metadata is not None else target
    return found


def _parameter_sets(multi: Any, single: Any) -> Sequence[Mapping[str, Any]]:
    return list(multi) if multi else [single or {}]


def _row(table: Table, values: Iterable[Any]) -> Row:
    return {column.name: value for column, value in zip(table.c, values, strict=True)}


def _key(table: Table, row: Row) -> tuple[Any, ...]:
    return tuple(row.get(column.name) for column in table.primary_key.columns)


def _key_name(name: Any) -> str:
    return name if isinstance(name, str) else str(name.key)


def _inserted_keys(result: Any) -> list[Any]:
    try:
        return list(result.inserted_primary_key_rows)
    except Exception:
        return []


def _is_autocommit(connection: Connection) -> bool:
    return connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
