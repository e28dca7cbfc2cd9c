"""What pages of settings and the console ask for themselves runs on PostgreSQL as well."""

from __future__ import annotations

from datetime import timedelta

import pytest

from support.batches import Batches
from support.events import event
from whodid.event import new_id
from whodid.reading import read
from whodid.retention.outlook import stored_by_level
from whodid.retention.rule import Retention
from whodid.stores.postgresql import PostgreSQLStore
from whodid.web.pages.console.answer import answer_of
from whodid.web.pages.console.examples import EXAMPLES
from whodid.web.pages.console.history import history
from whodid.web.pages.settings.keys import events_of
from whodid.web.pages.settings.retention import consequences


def test_examples_history_and_numbers_before_dangerous_steps(
    postgresql_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = PostgreSQLStore(postgresql_url)
    try:
        asked = event(type="query-run", user="ute", parameters={"filter": {"sql": "SELECT 1 AS one"}}, level="audit")
        old = event(1, level="debug", user="ute", time=asked.time - timedelta(days=900))
        store.write([Batches(tmp_path_factory.mktemp("journal")).of([asked, old])])
        for example in EXAMPLES:
            answer = answer_of(read.query(store, example.sql), 1.0)
            assert answer.heads, example.title
        assert [one.sql for one in history(store, "ute")] in ([], ["SELECT 1 AS one"])
        assert stored_by_level(store)["debug"]["events"] == 1
        assert "debug: 1 event older than 30 days go." in consequences(store, Retention(levels={"debug": 30}))
        assert events_of(store, new_id()) == 0
    finally:
        store.close()
