"""The engine's parts, as the configuration puts them together."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.postgresql import PostgreSQLServer
from whodid.config import Config
from whodid.engine import Engine
from whodid.errors import WhodidError


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


def test_what_cannot_be_closed_keeps_nothing_else_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise WhodidError("full", "There is no space left.")

    config = Config(data=str(tmp_path / "data"))
    engine = Engine.open(config)
    monkeypatch.setattr(engine.journal, "seal", full)
    with pytest.raises(WhodidError, match="no space"):
        engine.close()
    with Engine.open(config) as again:
        assert again.store.stats().events == 0
