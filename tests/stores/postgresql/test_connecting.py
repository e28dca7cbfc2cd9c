"""What an administrator is told when a PostgreSQL does not let whodid in."""

from __future__ import annotations

from typing import Any

import pytest

from support.postgresql import PostgreSQLServer
from whodid.directory.database import open_engine
from whodid.errors import WhodidError
from whodid.stores.postgresql import PostgreSQLStore
from whodid.stores.postgresql_connect import connect


@pytest.mark.postgresql
def test_who_is_not_let_in_hears_why(postgresql_server: PostgreSQLServer) -> None:
    with pytest.raises(WhodidError) as refused:
        connect(postgresql_server.url("no_such_database"))
    assert refused.value.code == "unavailable"
    assert 'The reason: database "no_such_database" does not exist.' in str(refused.value.hint)


@pytest.mark.parametrize(("host", "reason"), [("127.0.0.1:1", "Connection refused"), ("no.such.invalid", "not known")])
def test_a_server_that_is_away_is_told_with_the_reason(host: str, reason: str) -> None:
    with pytest.raises(WhodidError) as refused:
        connect(f"postgresql://ann:secret@{host}/whodid")
    assert reason in str(refused.value.hint)
    assert "secret" not in str(refused.value.hint)


@pytest.mark.postgresql
def test_a_server_whose_machine_is_gone_without_a_word_is_noticed_in_half_a_minute(
    postgresql_url: str,
) -> None:
    def waits_ms(connection: Any) -> int:
        return int(connection.info.get_parameters()["tcp_user_timeout"])

    with connect(postgresql_url) as connection:
        assert waits_ms(connection) == 30_000
    PostgreSQLStore(postgresql_url).close()
    engine = open_engine(postgresql_url)
    with engine.connect() as held:
        assert waits_ms(held.connection.driver_connection) == 30_000
    engine.dispose()


def test_an_address_that_cannot_be_read_does_not_show_its_password() -> None:
    with pytest.raises(WhodidError) as refused:
        connect("postgresql://ann:se%cret@db.example.com/whodid")
    assert "%25" in refused.value.message
    assert "cret" not in refused.value.message
