"""Taking in again what was rejected, over HTTP."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from litestar import Response
from msgspec import Struct

from whodid.datasets.replay import Ledger, Replayed, replay
from whodid.datasets.sinks import JournalSink
from whodid.event import Event, new_id
from whodid.reading import read
from whodid.reading.output import rows
from whodid.web.answers import json_answer
from whodid.web.requests import Req, body_of, caller_of, name_of, services_of
from whodid.web.services import Services

LIMIT_DEFAULT: Final = 10_000


class Replay(Struct, kw_only=True, forbid_unknown_fields=True):
    """Which rejections to read again: those of a code, of the latest `limit`; as `format` instead of their own."""

    code: str | None = None
    format: str | None = None
    limit: int = LIMIT_DEFAULT


async def replay_rejects(request: Req) -> Response[bytes]:
    """Take in again what was rejected and can be read today; nothing is taken in twice."""
    return json_answer(msgspec.to_builtins(await replayed(request, await body_of(request, Replay))))


async def replayed(request: Req, wanted: Replay) -> Replayed:
    """Do so, and note who did."""
    services = services_of(request)
    await services.call(services.record, _replayed_by(name_of(caller_of(request)), wanted))
    return await services.call(_replay, services, wanted)


def _replay(services: Services, wanted: Replay) -> Replayed:
    found = rows(read.rejects(services.store, limit=wanted.limit).table)
    chosen = [row for row in found if wanted.code in (None, row["code"])]
    sink: Any = JournalSink(services.journal, services.writer)  # type: ignore[arg-type]  # as far as sinks know it
    with closing(Ledger(services.config.data_path / "imports" / "replayed.db")) as ledger:
        return replay(chosen, sink, ledger, format=wanted.format)


def _replayed_by(who: str, wanted: Replay) -> Event:
    return Event(
        id=new_id(),
        time=datetime.now(UTC),
        type="rejects-replayed",
        source="server",
        user=who[:200],
        description="Took in again what had been rejected.",
        parameters=msgspec.Raw(msgspec.json.encode(wanted)),
    )
