"""The import door of a server: format, rejections, files and lines arrive as they were read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from support.imports import native_lines
from whodid.config import Config
from whodid.datasets.door import PATH, ImportDoor
from whodid.datasets.handed import body_of
from whodid.engine import Engine
from whodid.event import Rejection
from whodid.formats import decoder
from whodid.journal.base import Draft
from whodid.receive.access import Access


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine.open(Config(data=tmp_path / "data")) as opened:
        yield opened


def draft_of(lines: bytes) -> Draft:
    decoded = decoder("native").decode(lines)
    reject = Rejection(index=0, code="not_json", message="no JSON", line=7, source="a.log", raw="no json")
    return Draft(
        received_at=datetime.now(UTC),
        events=decoded.payload,
        count=decoded.count,
        format="dss-log4j",
        rejects=[reject],
    )


def post(engine: Engine, body: bytes, key: str = "local") -> httpx.Response:
    door = ImportDoor(engine.journal, Access(engine.directory, local_key="local"))

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=door)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.post(PATH, content=body, headers={"authorization": f"Bearer {key}"})

    return asyncio.run(send())


def test_what_is_handed_over_is_stored_as_it_was_read(engine: Engine) -> None:
    answer = post(engine, body_of(draft_of(native_lines(range(5)))))
    assert (answer.status_code, answer.json()) == (200, {"accepted": 5})
    engine.flush()
    found = engine.store.query("SELECT DISTINCT format FROM events WHERE type = 'query-start'", trusted=True)
    assert found.table.to_pylist() == [{"format": "dss-log4j"}]
    kept = engine.store.query("SELECT source, line, raw FROM rejected_events", trusted=True)
    assert kept.table.to_pylist() == [{"source": "a.log", "line": 7, "raw": "no json"}]


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"no json\n[]", b'{"format":"x"}\n{"type":"x"}', b'{"format":"x"}\n[{"type":"x"}]', b"\xff\n[]"],
)
def test_what_is_no_draft_is_refused_with_a_hint(body: bytes, engine: Engine) -> None:
    answer = post(engine, body)
    assert answer.status_code == 400
    assert "/v1/events" in answer.json()["error"]["hint"]


def test_a_key_that_is_bound_or_may_not_write_is_refused(engine: Engine) -> None:
    body = body_of(draft_of(native_lines(range(1))))
    _, bound = engine.directory.create_key("bound", ["write"], topics=["generic"])
    _, reader = engine.directory.create_key("reader", ["read"])
    assert post(engine, body, bound).status_code == 403
    assert post(engine, body, reader).status_code == 403
    assert post(engine, body, "nonsense").status_code == 401
