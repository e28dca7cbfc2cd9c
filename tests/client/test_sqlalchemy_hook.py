"""Changes of rows, told with before and after, only when they were committed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    delete,
    event,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from support.logging_server import Events, Scripted
from whodid.client import Logger
from whodid.client.sqlalchemy_hook import RowAudit, audit_rows

MakeLogger = Callable[..., Logger]


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    password: Mapped[str] = mapped_column(default="hidden")
    visits: Mapped[int] = mapped_column(default=0)


class Note(Base):
    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


class Told:
    """What the hook has logged, in short."""

    def __init__(self, server: Scripted, logger: Logger):
        self._server = server
        self._logger = logger
        self._seen = 0

    def events(self) -> list[dict[str, Any]]:
        """All since the last time."""
        assert self._logger.flush(10)
        assert self._logger.stats().failures == 0
        every = [event for request in self._server.requests for event in request]
        fresh, self._seen = every[self._seen :], len(every)
        return fresh

    def changes(self) -> list[tuple[str, Any, Any, Any]]:
        """(type, id of the row, before, after)"""
        return [
            (
                each["type"],
                each["entities"][0]["id"] if "entities" in each else None,
                each["parameters"].get("before"),
                each["parameters"].get("after"),
            )
            for each in self.events()
        ]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    found = create_engine(f"sqlite:///{tmp_path}/rows.db")
    Base.metadata.create_all(found)
    yield found
    found.dispose()


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    with Scripted() as server:
        yield server


@pytest.fixture
def logger(scripted: Scripted, make_logger: MakeLogger) -> Logger:
    return make_logger(scripted.url)


@pytest.fixture
def told(engine: Engine, scripted: Scripted, logger: Logger) -> Told:
    with Session(engine) as session, session.begin():
        session.add_all([User(id=1, name="ann"), User(id=2, name="bob")])
    audit_rows(engine, logger, rows_max=5)
    return Told(scripted, logger)


def test_the_rows_of_a_flush(engine: Engine, told: Told, logger: Logger) -> None:
    with logger.session(user="admin"), Session(engine) as session, session.begin():
        ann = session.get_one(User, 1)
        ann.visits = 7
        session.add(User(id=3, name="eve"))
        session.delete(session.get_one(User, 2))
    events = told.events()
    found = {event["type"]: event for event in events}
    assert found["row-edited"]["parameters"]["before"] == {"visits": 0}
    assert found["row-edited"]["parameters"]["after"] == {"visits": 7}
    assert found["row-created"]["parameters"]["after"] == {
        "id": 3, "name": "eve", "password": "[redacted]", "visits": 0,
    }  # fmt: skip
    assert found["row-deleted"]["parameters"]["before"]["name"] == "bob"
    assert found["row-edited"]["entities"] == [{"type": "users", "id": "1", "name": "ann"}]
    assert {event["user"] for event in events} == {"admin"}
    assert len({event["parameters"]["transaction"] for event in events}) == 1


def test_keys_that_the_database_makes_are_known(engine: Engine, told: Told) -> None:
    with Session(engine) as session, session.begin():
        session.add_all([User(name="eve"), User(name="kim")])
    assert [(kind, key) for kind, key, _, _ in told.changes()] == [("row-created", "3"), ("row-created", "4")]


def test_bulk_changes_by_condition(engine: Engine, told: Told) -> None:
    with Session(engine) as session, session.begin():
        session.execute(update(User).where(User.name != "nobody").values(visits=User.visits + 1))
        session.execute(delete(User).where(User.name == "bob"))
    assert told.changes() == [
        ("row-edited", "1", {"visits": 0}, {"visits": 1}),
        ("row-edited", "2", {"visits": 0}, {"visits": 1}),
        ("row-deleted", "2", {"id": 2, "name": "bob", "password": "[redacted]", "visits": 1}, None),
    ]


def test_bulk_changes_by_key_and_by_list(engine: Engine, told: Told) -> None:
    with Session(engine) as session, session.begin():
        session.execute(update(User), [{"id": 1, "name": "Ann"}, {"id": 2, "name": "Bob"}])
        session.bulk_update_mappings(User.__mapper__, [{"id": 1, "visits": 3}])
        session.bulk_save_objects([User(id=8, name="kim")])
    assert [change[:2] for change in told.changes()] == [
        ("row-edited", "1"), ("row-edited", "2"), ("row-edited", "1"), ("row-created", "8"),
    ]  # fmt: skip


def test_core_statements(engine: Engine, told: Told) -> None:
    users = User.__table__
    assert isinstance(users, Table)
    with engine.begin() as connection:
        connection.execute(insert(users).values([{"id": 5, "name": "x", "password": "p", "visits": 1}]))
        connection.execute(
            update(users).where(users.c.id == bindparam("key")).values(visits=bindparam("count")),
            [{"key": 1, "count": 10}, {"key": 2, "count": 20}],
        )
        connection.execute(insert(Note).from_select(["text"], select(users.c.name)))
    changes = told.changes()
    assert [change[:2] for change in changes] == [
        ("row-created", "5"), ("row-edited", "1"), ("row-edited", "2"), ("row-created-beyond", None),
    ]  # fmt: skip
    assert changes[2][2:] == ({"visits": 0}, {"visits": 20})


def test_what_changes_nothing_is_not_told(engine: Engine, told: Told) -> None:
    with Session(engine) as session, session.begin():
        session.execute(update(User).where(User.id == 1).values(name="ann"))
        session.execute(update(User).where(User.id == 99).values(name="ann"))
    assert told.changes() == []


def test_what_is_rolled_back_is_not_told(engine: Engine, told: Told) -> None:
    with Session(engine) as session:
        session.get_one(User, 1).visits = 5
        session.flush()
        session.rollback()
        session.get_one(User, 1).visits = 6
        session.flush()
        with session.begin_nested() as inner:
            session.get_one(User, 2).visits = 7
            session.flush()
            inner.rollback()
        with session.begin_nested():
            session.get_one(User, 2).visits = 8
        session.commit()
    assert told.changes() == [
        ("row-edited", "1", {"visits": 0}, {"visits": 6}),
        ("row-edited", "2", {"visits": 0}, {"visits": 8}),
    ]


def test_a_commit_that_fails_tells_nothing(tmp_path: Path, scripted: Scripted, logger: Logger) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/deferred.db")

    @event.listens_for(engine, "connect")
    def _enforce(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA foreign_keys=ON")

    metadata = MetaData()
    parents = Table("parents", metadata, Column("id", Integer, primary_key=True))
    key = ForeignKey("parents.id", deferrable=True, initially="DEFERRED")
    children = Table("children", metadata, Column("id", Integer, primary_key=True), Column("parent", key))
    metadata.create_all(engine)
    audit_rows(engine, logger)
    told = Told(scripted, logger)
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(insert(children).values(id=1, parent=99))
    assert told.changes() == []
    with engine.begin() as connection:
        connection.execute(insert(parents).values(id=99))
    assert [change[:2] for change in told.changes()] == [("row-created", "99")]
    engine.dispose()


def test_rows_beyond_the_limit_are_counted(engine: Engine, told: Told) -> None:
    with Session(engine) as session, session.begin():
        session.execute(insert(User), [{"id": number, "name": f"n{number}"} for number in range(10, 20)])
        session.execute(update(User).values(visits=1))
    events = told.events()
    kinds = [event["type"] for event in events]
    assert kinds == ["row-created"] * 5 + ["row-created-beyond"] + ["row-edited"] * 5 + ["row-edited-beyond"]
    assert events[5]["parameters"]["rows"] == 5
    assert events[-1]["parameters"]["rows"] == "more than 5"


def test_chosen_tables_and_redacted_columns(engine: Engine, scripted: Scripted, logger: Logger) -> None:
    audit = audit_rows(engine, logger, leave_out=[Note], redact=["na*"])
    told = Told(scripted, logger)
    with Session(engine) as session, session.begin():
        session.add_all([User(id=1, name="ann"), Note(id=1, text="x")])
    changes = told.changes()
    assert [change[:2] for change in changes] == [("row-created", "1")]
    assert changes[0][3]["name"] == "[redacted]"
    audit.remove()
    with Session(engine) as session, session.begin():
        session.add(User(id=2, name="bob"))
    assert told.changes() == []


def test_names_of_columns_that_python_calls_otherwise(tmp_path: Path, scripted: Scripted, logger: Logger) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/keys.db")
    metadata = MetaData()
    table = Table("t", metadata, Column("ID", Integer, key="key", primary_key=True), Column("a b", String, key="value"))
    metadata.create_all(engine)
    audit_rows(engine, logger)
    told = Told(scripted, logger)
    with engine.begin() as connection:
        connection.execute(insert(table).values(key=1, value="x"))
        connection.execute(update(table).where(table.c.key == 1).values(value="y"))
        connection.execute(text("SELECT 1"))
    assert told.changes() == [
        ("row-created", "1", None, {"ID": 1, "a b": "x"}),
        ("row-edited", "1", {"a b": "x"}, {"a b": "y"}),
    ]
    engine.dispose()


def test_a_logger_in_trouble_does_not_touch_the_transaction(engine: Engine, make_logger: MakeLogger) -> None:
    logger = make_logger("http://127.0.0.1:9", overflow="raise", buffer_events_max=1, spool=False)
    logger.audit("fills the buffer")
    audit: RowAudit = audit_rows(engine, logger)
    with Session(engine) as session, session.begin():
        session.add_all([User(id=number, name="x") for number in range(1, 4)])
    with Session(engine) as session:
        assert len(session.scalars(select(User)).all()) == 3
    audit.remove()


def test_asynchronous_engines(tmp_path: Path, events: Events, make_logger: MakeLogger) -> None:
    pytest.importorskip("aiosqlite")
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

    logger = make_logger(events.url, topic=events.topic)

    async def work() -> None:
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/async.db")
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        audit_rows(engine.sync_engine, logger)
        with logger.session(user="ann"):
            async with AsyncSession(engine) as session, session.begin():
                session.add(User(id=1, name="eve"))
        await engine.dispose()

    asyncio.run(work())
    row = events.of(logger)[0]
    assert (row["type"], row["user"], row["entity_id"]) == ("row-created", "ann", "1")
