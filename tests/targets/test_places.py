"""Kinds whose other side holds the place, run by dispatch: a cursor that is lost costs no event and repeats none."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from support.kafka import read_topic
from support.targets import event, watched
from whodid.dispatch.cursor import NAME as CURSOR
from whodid.dispatch.management import NewTarget
from whodid.dispatch.row import Selection


@pytest.fixture(params=["kafka", "postgresql"])
def other_side(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any], Callable[[], list[str]]]:
    """Kind, options, and the ids that are there."""
    if request.param == "kafka":
        cluster = request.getfixturevalue("kafka")
        topic = cluster.create_topic(f"t-{uuid.uuid4().hex[:12]}")
        options = {"brokers": cluster.bootstrap, "topic": topic, "security": "plaintext"}
        return "kafka", options, lambda: [json.loads(one.value())["id"] for one in read_topic(cluster.bootstrap, topic)]
    url = request.getfixturevalue("postgresql_url")

    def received() -> list[str]:
        with psycopg.connect(url) as connection:
            return [str(row[0]) for row in connection.execute("SELECT id FROM whodid.events ORDER BY seq")]

    return "postgresql", {"url": url}, received


@pytest.mark.parametrize("cursor", ["lost", "of before", "right"])
def test_the_place_over_there_counts(other_side: Any, tmp_path: Path, cursor: str) -> None:
    kind, options, received = other_side
    with watched(tmp_path / "data") as engine:
        new = NewTarget(
            name="out", kind=kind, options=options, selection=Selection(types=["query-*"]), start="beginning"
        )
        before = engine.post(30)
        engine.engine.flush()
        engine.dispatch.book.create(new)
        ids = [*before, *engine.post(20)]
        engine.settled()
        (file,) = (tmp_path / "data").rglob(CURSOR)
        old = file.read_bytes()
        ids += engine.post([*(event() for _ in range(20)), event(type="other")])[:20]
        engine.settled()
        engine.close()
        if cursor == "lost":
            file.unlink()
        elif cursor == "of before":
            file.write_bytes(old)
        engine.open()
        ids += engine.post(10)
        engine.settled()
        assert received() == ids
