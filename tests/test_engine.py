"""The engine's parts, as the configuration puts them together."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.postgresql import PostgreSQLServer
from whodid.config import Config
from whodid.engine import Engine


@pytest.mark.postgresql
def test_servers_whose_store_is_another_share_settings_in_an_empty_postgresql(
    postgresql_server: PostgreSQLServer, tmp_path: Path
) -> None:
    shared = postgresql_server.create_database()
    with (
        Engine.open(Config(data=str(tmp_path / "one"), directory=shared)) as one,
        Engine.open(Config(data=str(tmp_path / "two"), directory=shared)) as two,
    ):
        one.directory.create_user("ada", by="tests")
        assert [user.login for user in two.directory.users(made=True)] == ["ada"]
        assert one.store.kind == "duckdb"
