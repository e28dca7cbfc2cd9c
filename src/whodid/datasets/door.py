"""`POST /v1/import`: drafts of an import that another process reads, with their format and what was rejected.

`POST /v1/events` takes events and judges them; here a reader of files hands over what it has judged already, so that
format, rejections, files and lines are kept. The body is two lines of JSON: `{"format", "rejects"}` and the array of
events, strict as the journal wants it. The answer means: on disk; it tells what the key may not write, besides what was
rejected by the reader.

The policy holds for keys that are bound alone: who may write everything brings in what exists already, which a policy
of today should not thin out; a bound key is a service's, whose events are as if posted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from whodid.datasets.handed import Handed, handed_of
from whodid.errors import WhodidError
from whodid.event import Rejection
from whodid.formats.base import Decoded
from whodid.formats.strict import strict_events
from whodid.journal.base import Draft, Intake
from whodid.receive.access import Access, Caller
from whodid.receive.answer import Send, request_id, send_error, send_json, summary
from whodid.receive.body import Disconnected, InFlight, Receive, declared_size, read_rest
from whodid.receive.claims import Claims
from whodid.receive.ingest import Ingest

_log = logging.getLogger("whodid.import")
PATH: Final = "/v1/import"


class ImportDoor:
    """A bare ASGI callable beside `Ingest`, which it hands the events of bound keys to."""

    def __init__(self, journal: Intake, access: Access, ingest: Ingest, claims: Claims | None = None):
        self._journal = journal
        self._access = access
        self._ingest = ingest
        self._claims = claims
        self._in_flight = InFlight()

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        identifier = request_id(headers.get(b"x-request-id"))
        try:
            caller = self._access.require(scope, "write", headers)
            declared_size(headers)
            body = await self._body(receive)
            try:
                answer = await self._kept(body, caller, scope)
            finally:
                self._in_flight.give(len(body))
            await send_json(send, 200, answer, identifier)
        except Disconnected:
            return
        except WhodidError as error:
            await send_error(send, error, identifier)
        except Exception:
            _log.exception("Request %s failed.", identifier.decode())
            failed = WhodidError("internal", "Something went wrong here.", "The server's log names this request.")
            await send_error(send, failed, identifier)

    async def _kept(self, body: bytes, caller: Caller, scope: Mapping[str, Any]) -> bytes:
        received_at = datetime.now(UTC)
        handed, decoded = await asyncio.to_thread(_read, body)
        if caller.is_bound:
            ready = self._ingest.admitted(decoded, caller, handed.format)
            await self._ingest.keep(ready, caller, scope, received_at, format=handed.format)
            return summary(len(ready.ids), ready.duplicates, _refused(ready.rejects, handed), ready.filtered)
        if self._claims is not None and self._claims.current:
            decoded = await asyncio.to_thread(self._claims.checked, caller, decoded)
        client = scope.get("client")
        await self._journal.append(
            Draft(
                received_at=received_at,
                events=decoded.payload,
                count=decoded.count,
                format=handed.format,
                key_id=caller.key_id,
                orig_address=client[0] if client else None,
                rejects=decoded.rejects,
            )
        )
        return summary(decoded.count, 0, _refused(decoded.rejects, handed))

    async def _body(self, receive: Receive) -> bytes:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        first: bytes = message.get("body", b"")
        self._in_flight.take(len(first))
        if not message.get("more_body", False):
            return first
        try:
            return await read_rest(first, receive, self._in_flight)
        except BaseException:
            self._in_flight.give(len(first))
            raise


def _read(body: bytes) -> tuple[Handed, Decoded]:
    first, _, payload = body.partition(b"\n")
    handed = handed_of(first, _HINT)
    events = strict_events(payload)
    if events is None:
        raise WhodidError("invalid", "The second line is no array of events in strict form.", _HINT)
    return handed, Decoded(events=events, payload=payload, rejects=handed.rejects)


def _refused(rejects: Sequence[Rejection], handed: Handed) -> list[Rejection]:
    """What was rejected here, and not by the reader."""
    by_reader = {id(each) for each in handed.rejects}
    return [each for each in rejects if id(each) not in by_reader]


_HINT = "This is for whodid import; other programs post to /v1/events."
