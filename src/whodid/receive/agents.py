"""The doors for agents: `POST /v1/agent/events` and `POST /v1/agent/heartbeat`; see `whodid.agent.wire`.

An agent has judged what it read: format, rejections, files and lines are kept as it tells them. Key bindings, claims
and policies count as at `POST /v1/events`. The answer means: on disk.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from whodid.agent.wire import EVENTS_PATH, HEARTBEAT_PATH, Answer, Hello
from whodid.datasets.handed import Handed, handed_of
from whodid.errors import WhodidError
from whodid.formats.base import Decoded
from whodid.formats.native import decode_body
from whodid.formats.strict import strict_events
from whodid.receive.access import Access, Caller
from whodid.receive.answer import Send, request_id, send_error, send_json
from whodid.receive.binding import give_place
from whodid.receive.body import Disconnected, Receive
from whodid.receive.ingest import THREAD_BYTES_MIN, Ingest
from whodid.receive.nodes import NodeBook
from whodid.typed import decode

PATHS: Final = (EVENTS_PATH, HEARTBEAT_PATH)
_HINT: Final = "This is for whodid agent; other programs post to /v1/events."

_log = logging.getLogger("whodid.receive")


class AgentDoor:
    """A bare ASGI callable beside `Ingest`, which it hands events to."""

    def __init__(self, ingest: Ingest, access: Access, nodes: NodeBook):
        self._ingest = ingest
        self._access = access
        self._nodes = nodes

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        identifier = request_id(headers.get(b"x-request-id"))
        try:
            caller = self._access.require(scope, "write", headers)
            body, held_bytes = await self._ingest.take_body(headers, receive)
            try:
                if scope["path"] == HEARTBEAT_PATH:
                    answer = self._heartbeat(body, caller, scope)
                else:
                    answer = await self._events(body, caller, scope)
            finally:
                self._ingest.in_flight.give(held_bytes)
            await send_json(send, 200, msgspec.json.encode(answer), identifier)
        except Disconnected:
            return
        except WhodidError as error:
            await send_error(send, error, identifier)
        except Exception:
            _log.exception("Request %s failed.", identifier.decode())
            failed = WhodidError("internal", "Something went wrong here.", "The server's log names this request.")
            await send_error(send, failed, identifier)

    def _heartbeat(self, body: bytes, caller: Caller, scope: Mapping[str, Any]) -> Answer:
        at = datetime.now(UTC)
        hello = _hello(body, caller)
        self._nodes.hear(hello, _address(scope), at, heartbeat=True)
        return Answer(time=at, node=hello.node)

    async def _events(self, body: bytes, caller: Caller, scope: Mapping[str, Any]) -> Answer:
        at = datetime.now(UTC)
        first, _, rest = body.partition(b"\n")
        hello = _hello(first, caller)
        if len(body) < THREAD_BYTES_MIN:
            handed, decoded = _taken(rest, hello, at)
        else:
            handed, decoded = await asyncio.to_thread(_taken, rest, hello, at)
        ready = self._ingest.admitted(decoded, caller, handed.format)
        del body, rest, decoded
        await self._ingest.keep(ready, caller, scope, at, format=handed.format)
        self._nodes.hear(hello, _address(scope), at, heartbeat=False)
        return Answer(
            time=datetime.now(UTC),
            node=hello.node,
            accepted=len(ready.ids),
            duplicates=ready.duplicates,
            filtered=ready.filtered,
            rejected=len(ready.rejects) - len(handed.rejects),
        )


def _hello(line: bytes, caller: Caller) -> Hello:
    try:
        hello = decode(line, Hello)
    except msgspec.DecodeError as error:
        raise WhodidError("invalid", f"The first line does not tell which agent sends: {error}.", _HINT) from error
    if hello.sent_at.tzinfo is None:
        raise WhodidError("invalid", "sent_at has no zone.", _HINT)
    if hello.node is None:
        hello.node = next(iter(caller.nodes)) if len(caller.nodes) == 1 else hello.machine
    if caller.nodes and hello.node is not None and hello.node not in caller.nodes:
        raise WhodidError(
            "forbidden",
            f"The key {caller.name!r} is not of the node {hello.node!r}, but of: {', '.join(sorted(caller.nodes))}.",
            "Start the agent with --node as the key says, or make a key for this node: whodid key create --node.",
        )
    if caller.node_type is not None:
        if hello.node_type not in (None, caller.node_type):
            raise WhodidError(
                "forbidden",
                f"The key {caller.name!r} is of node type {caller.node_type!r}, not {hello.node_type!r}.",
                "Start the agent with --node-type as the key says.",
            )
        hello.node_type = caller.node_type
    return hello


def _taken(rest: bytes, hello: Hello, at: datetime) -> tuple[Handed, Decoded]:
    first, _, payload = rest.partition(b"\n")
    handed = handed_of(first, _HINT)
    events = strict_events(payload)
    if events is None:
        decoded = decode_body(payload, "json", received_at=at)
        decoded.rejects = [*handed.rejects, *decoded.rejects]
    else:
        decoded = Decoded(events=events, payload=payload, rejects=handed.rejects)
    if give_place(decoded.events, hello.node, hello.node_type):
        decoded = Decoded(events=decoded.events, rejects=decoded.rejects)
    return handed, decoded


def _address(scope: Mapping[str, Any]) -> str | None:
    client = scope.get("client")
    return client[0] if client else None
