"""The import door of a server: format, rejections, files and lines arrive as they were read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from support.imports import native_line, native_lines
from whodid.config import Config
from whodid.datasets.door import PATH, ImportDoor
from whodid.datasets.handed import body_of
from whodid.engine import Engine
from whodid.event import Rejection
from whodid.formats import decoder
from whodid.journal.base import Draft
from whodid.policy.rule import RuleFields
from whodid.receive.access import Access
from whodid.receive.ingest import Ingest

TAKEN = {"accepted": 5, "duplicates": 0, "filtered": 0, "rejected": []}


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
    access = Access(engine.directory, local_key="local")
    door = ImportDoor(engine.journal, access, Ingest(engine.journal, access, gate=engine.policies.gate))

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=door)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.post(PATH, content=body, headers={"authorization": f"Bearer {key}"})

    return asyncio.run(send())


def test_what_is_handed_over_is_stored_as_it_was_read(engine: Engine) -> None:
    answer = post(engine, body_of(draft_of(native_lines(range(5)))))
    assert (answer.status_code, answer.json()) == (200, TAKEN)
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


def test_a_key_that_may_not_write_is_refused(engine: Engine) -> None:
    body = body_of(draft_of(native_lines(range(1))))
    _, reader = engine.directory.create_key("reader", ["read"])
    assert post(engine, body, reader).status_code == 403
    assert post(engine, body, "nonsense").status_code == 401


def test_a_format_that_is_not_known_is_refused(engine: Engine) -> None:
    answer = post(engine, b'{"format":"forged"}\n[]')
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "There is no format 'forged'.")


def test_a_bound_key_hands_over_what_it_may_write_as_it_was_read(engine: Engine) -> None:
    _, bound = engine.directory.create_key("bound", ["write"], topics=["generic"])
    lines = native_line(1, topic="generic") + native_line(2, topic="authfail") + native_line(3, topic="generic")
    answer = post(engine, body_of(draft_of(lines)), bound)
    assert answer.status_code == 200
    told = answer.json()
    assert (told["accepted"], [each["code"] for each in told["rejected"]]) == (2, ["forbidden"])
    assert "topic 'authfail'" in told["rejected"][0]["message"]
    engine.flush()
    found = engine.store.query("SELECT topic, format FROM events WHERE type = 'query-start'", trusted=True)
    assert found.table.to_pylist() == [{"topic": "generic", "format": "dss-log4j"}] * 2
    kept = engine.store.query("SELECT code, source FROM rejected_events ORDER BY code", trusted=True)
    assert kept.table.to_pylist() == [{"code": "forbidden", "source": None}, {"code": "not_json", "source": "a.log"}]


def test_the_policy_holds_for_bound_keys_alone(engine: Engine) -> None:
    engine.policies.create("no queries", RuleFields(level="verbose", switched_off=["query-start"]))
    _, bound = engine.directory.create_key("bound", ["write"], topics=["generic"])
    body = body_of(draft_of(b"".join(native_line(number, topic="generic") for number in range(5))))
    assert post(engine, body, bound).json() == TAKEN | {"accepted": 0, "filtered": 5}
    assert post(engine, body).json() == TAKEN
