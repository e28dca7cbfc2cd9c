"""`POST /v1/import`: drafts of an import that another process reads, with their format and what was rejected.

`POST /v1/events` takes events and judges them; here a reader of files hands over what it has judged already, so that
format, rejections, files and lines are kept. The body is two lines of JSON: `{"format", "rejects"}` and the array of
events, strict as the journal wants it. The answer means: on disk.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from whodid.datasets.handed import Handed
from whodid.errors import WhodidError
from whodid.formats.base import Decoded
from whodid.formats.strict import strict_events
from whodid.journal.base import Draft, Intake
from whodid.receive.access import Access, Caller
from whodid.receive.answer import Send, request_id, send_error, send_json
from whodid.receive.body import Disconnected, InFlight, Receive, declared_size, read_rest
from whodid.receive.claims import Claims
from whodid.typed import decode

_log = logging.getLogger("whodid.import")
PATH: Final = "/v1/import"


class ImportDoor:
    """A bare ASGI callable beside `receive.Ingest`; takes keys with the scope write that are bound to nothing."""

    def __init__(self, journal: Intake, access: Access, claims: Claims | None = None):
        self._journal = journal
        self._access = access
        self._claims = claims
        self._in_flight = InFlight()

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        identifier = request_id(headers.get(b"x-request-id"))
        try:
            caller = self._caller(scope, headers)
            declared_size(headers)
            body = await self._body(receive)
            try:
                draft = await asyncio.to_thread(_draft, body, caller, scope, self._claims)
                await self._journal.append(draft)
            finally:
                self._in_flight.give(len(body))
            await send_json(send, 200, msgspec.json.encode({"accepted": draft.count}), identifier)
        except Disconnected:
            return
        except WhodidError as error:
            await send_error(send, error, identifier)
        except Exception:
            _log.exception("Request %s failed.", identifier.decode())
            failed = WhodidError("internal", "Something went wrong here.", "The server's log names this request.")
            await send_error(send, failed, identifier)

    def _caller(self, scope: Mapping[str, Any], headers: dict[bytes, bytes]) -> Caller:
        caller = self._access.require(scope, "write", headers)
        if caller.is_bound:
            raise WhodidError(
                "forbidden",
                f"The key {caller.name!r} is bound to topics, nodes or routing keys, and cannot import.",
                "Post its events to /v1/events, or make a key for imports: whodid key create NAME --scope write",
            )
        return caller

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


def _draft(body: bytes, caller: Caller, scope: Mapping[str, Any], claims: Claims | None) -> Draft:
    first, _, payload = body.partition(b"\n")
    try:
        handed = decode(first, Handed)
    except msgspec.DecodeError as error:
        raise WhodidError("invalid", f"The first line is not what an import hands over: {error}.", _HINT) from error
    events = strict_events(payload)
    if events is None:
        raise WhodidError("invalid", "The second line is no array of events in strict form.", _HINT)
    decoded = Decoded(events=events, payload=payload, rejects=handed.rejects)
    if claims is not None and claims.current:
        decoded = claims.checked(caller, decoded)
    client = scope.get("client")
    return Draft(
        received_at=datetime.now(UTC),
        events=decoded.payload,
        count=decoded.count,
        format=handed.format,
        key_id=caller.key_id,
        orig_address=client[0] if client else None,
        rejects=decoded.rejects,
    )


_HINT = "This is for whodid import; other programs post to /v1/events."
