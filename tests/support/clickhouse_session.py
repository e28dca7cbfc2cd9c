"""A look at ClickHouse behind the store's back."""

from __future__ import annotations

from whodid.stores.clickhouse_address import parse
from whodid.stores.clickhouse_session import Session


def database_of(url: str) -> str:
    """The name of the database in a store's URL."""
    return url.rpartition("/")[2].partition("?")[0]


def session_of(url: str) -> Session:
    """A session in the store's database."""
    session = Session(parse(url))
    session.use(database_of(url))
    return session
