"""`POST /v1/events`: bytes in, durable events, then the answer. A bare ASGI callable, because it is the hot path.

Each request goes: who is it → may it → body within its limits → decompress → decode → bind to the key →
tell known duplicates → the policy → journal (fdatasync) → answer. What is known already stays what it is: a retry is
told "duplicate" whatever the policy says by then.

Answers: 200 when the events that were accepted are on disk, even if others of the same request were rejected; if every
one was rejected, the status of an error (400, or 403 when all were forbidden, 413 when all were too large) and
a body that has both `error` and `rejected`. Rejected input is on disk as well before the answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from whodid.errors import WhodidError
from whodid.event import REQUEST_BYTES_MAX, Rejection
from whodid.formats.base import Decoded
from whodid.formats.compression import decompress
from whodid.formats.native import Media, decode_body
from whodid.journal.base import Draft, Intake, Outcome
from whodid.policy.gate import Compiled, Gate, Sifted
from whodid.receive.access import Access, Caller, Headers
from whodid.receive.answer import (
    Send,
    nothing_accepted,
    request_id,
    send_at_once,
    send_error,
    send_json,
    summary,
    whole,
)
from whodid.receive.binding import bind
from whodid.receive.body import Disconnected, InFlight, Receive, declared_size, media_of, read_rest
from whodid.receive.claims import Claims
from whodid.receive.cors import answer_preflight, cors_headers
from whodid.receive.nodes import Counted, NodeBook
from whodid.receive.recent import RecentIds
from whodid.receive.short import Done

# Larger bodies are read in a thread, so that they do not hold up the answers to small ones.
THREAD_BYTES_MIN: Final = 2 * 1024 * 1024
THREAD_COMPRESSED_BYTES_MIN: Final = 16 * 1024

_log = logging.getLogger("whodid.receive")


class Ready(NamedTuple):
    """What a request leaves for the journal and for its answer; `ids` are those of all events that are kept.

    sifted  what the policy did, where it did anything; events that are to lie apart are there and not in `payload`.
    nodes   which nodes they are of.
    """

    payload: bytes
    ids: Collection[str]
    duplicates: int
    rejects: Sequence[Rejection]
    sifted: Sifted | None = None
    nodes: Sequence[Counted] | None = None

    @property
    def filtered(self) -> int:
        """How many events the policy left out."""
        return len(self.sifted.dropped) if self.sifted is not None else 0


class Ingest:
    """The door for events.

    journal          where they become durable.
    access           who may write.
    body_timeout_ms  a body that comes in parts has to be there this long after its first; `protocol` keeps the same
                     limit from the head on, for every route.
    in_flight        bytes that all requests together may hold; beyond it posts get 429.
    gate             what is kept of whose events.
    claims           which keys may write what destinations claim.
    nodes            is told which nodes the events are of.
    """

    def __init__(
        self,
        journal: Intake,
        access: Access,
        *,
        body_timeout_ms: int = 30_000,
        in_flight: InFlight | None = None,
        recent: RecentIds | None = None,
        gate: Gate | None = None,
        claims: Claims | None = None,
        nodes: NodeBook | None = None,
    ):
        self._journal = journal
        self._access = access
        self._body_timeout_ms = body_timeout_ms
        self.in_flight = in_flight or InFlight()
        self._recent = recent or RecentIds()
        self._gate = gate or Gate()
        self._claims = claims
        self._nodes = nodes
        self._media: dict[bytes, Media] = {}
        self.accepted = 0
        self.duplicates = 0
        self.rejected = 0
        self.filtered = 0

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        identifier = request_id(headers.get(b"x-request-id"))
        more = cors_headers(self._access, headers) if b"origin" in headers else ()
        try:
            if scope["method"] == "POST":
                await self._post(scope, headers, receive, send, identifier, more)
            elif scope["method"] == "OPTIONS":
                await answer_preflight(self._access, headers, send, identifier, more)
            else:
                raise WhodidError(
                    "method_not_allowed", f"{scope['method']} is not for this address.", "Send events with POST."
                )
        except Disconnected:
            return
        except WhodidError as error:
            if b"expect" in headers:
                # Its body may never come, so this connection cannot be told where the next request begins.
                more = (*more, (b"connection", b"close"))
            await send_error(send, error, identifier, more)
        except Exception:
            _log.exception("Request %s failed.", identifier.decode())
            failed = WhodidError(
                "internal",
                "Something went wrong here; the events may not be kept.",
                "Send them again with the same ids: none will be doubled. The server's log names this request.",
            )
            await send_error(send, failed, identifier, more)

    def at_once(self, headers: Headers, body: bytes, client: tuple[str, int] | None, done: Done) -> bool:
        """Take a whole request if it is sent by somebody who may and all of it is to be kept: see `short.AtOnce`."""
        try:
            caller = self._access.require({"client": client}, "write", headers)
            content_type = headers.get(b"content-type", b"")
            media = self._media.get(content_type) or self._media_of(content_type)
            received_at = datetime.now(UTC)
            decoded = decode_body(body, media, received_at=received_at, looked_at=self._looks_at_events(caller))
            if decoded.rejects:
                return False
            ready = self.admitted(decoded, caller)
            if ready.duplicates or ready.rejects or not ready.ids or not self._may_go_at_once(ready):
                return False
            self.in_flight.take(len(body))
            try:
                draft = _draft(ready, caller, client, received_at, "native")
                self._journal.submit(draft, partial(self._kept_at_once, headers, draft, ready, len(body), done))
            except BaseException:
                self.in_flight.give(len(body))
                raise
        except Exception:
            # The long way meets it again and knows how to tell it.
            return False
        return True

    def _may_go_at_once(self, ready: Ready) -> bool:
        """Whether a request may; what captures took of one that goes the long way is given back first."""
        if ready.sifted is None or not ready.sifted.captured:
            return True
        self._gate.release(ready.sifted)
        return False

    def _kept_at_once(
        self, headers: Headers, draft: Draft, ready: Ready, held_bytes: int, done: Done, outcome: Outcome
    ) -> None:
        self.in_flight.give(held_bytes)
        if isinstance(outcome, WhodidError):
            done(None)
            return
        self._recent.add(ready.ids)
        self.accepted += len(ready.ids)
        self._note_nodes(ready, draft.orig_address, draft.received_at)
        filtered = self._settled(ready)
        done(whole(summary(len(ready.ids), 0, (), filtered), request_id(headers.get(b"x-request-id"))))

    async def _post(
        self,
        scope: Mapping[str, Any],
        headers: dict[bytes, bytes],
        receive: Receive,
        send: Send,
        identifier: bytes,
        more: Any,
    ) -> None:
        caller = self._access.require(scope, "write", headers)
        content_type = headers.get(b"content-type", b"")
        media = self._media.get(content_type) or self._media_of(content_type)
        body, held_bytes = await self.take_body(headers, receive)
        try:
            received_at = datetime.now(UTC)
            decode = partial(decode_body, body, media, received_at=received_at, looked_at=self._looks_at_events(caller))
            decoded = decode() if len(body) < THREAD_BYTES_MIN else await asyncio.to_thread(decode)
            ready = self.admitted(decoded, caller)
            # The events are done with: keeping them while the disk works would cost cache and memory.
            del body, decode, decoded
            await self.keep(ready, caller, scope, received_at)
        finally:
            self.in_flight.give(held_bytes)
        ids, duplicates, rejects, filtered = ready.ids, ready.duplicates, ready.rejects, ready.filtered
        if rejects and not (ids or duplicates or filtered):
            await send_error(send, nothing_accepted(rejects), identifier, more, rejects=rejects)
            return
        answer = summary(len(ids), duplicates, rejects, filtered)
        if more or not send_at_once(scope, answer, identifier):
            await send_json(send, 200, answer, identifier, more)

    async def take_body(self, headers: Mapping[bytes, bytes], receive: Receive) -> tuple[bytes, int]:
        """The whole body of a request, decompressed, and how many bytes its taker has to give back to `in_flight`.

        Raises
        ------
        Disconnected, WhodidError("too_large"), WhodidError("busy"), WhodidError("timeout")
        WhodidError("invalid"), WhodidError("unsupported")
            It cannot be decompressed.
        """
        declared_size(headers)
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        body: bytes = message.get("body", b"")
        self.in_flight.take(len(body))
        held_bytes = len(body)
        try:
            if message.get("more_body", False):
                body = await self._whole_body(body, receive)
                held_bytes = len(body)
            if b"content-encoding" in headers:
                body = await _decompressed(body, headers[b"content-encoding"].decode("latin-1"))
                self.in_flight.take(len(body))
                held_bytes += len(body)
        except BaseException:
            self.in_flight.give(held_bytes)
            raise
        return body, held_bytes

    async def keep(
        self,
        ready: Ready,
        caller: Caller,
        scope: Mapping[str, Any],
        received_at: datetime,
        format: str = "native",
    ) -> None:
        """Make what was admitted durable, and count it. Raises as `Journal.append`; then nothing was kept."""
        ids, rejects = ready.ids, ready.rejects
        try:
            if ids or rejects:
                for draft in _drafts(ready, caller, scope.get("client"), received_at, format):
                    await self._journal.append(draft)
                self._recent.add(ids)
        except BaseException:
            if ready.sifted is not None:
                self._gate.release(ready.sifted)
            raise
        self.accepted += len(ids)
        self.duplicates += ready.duplicates
        self.rejected += len(rejects)
        client = scope.get("client")
        self._note_nodes(ready, client[0] if client else None, received_at)
        self._settled(ready)

    def _note_nodes(self, ready: Ready, address: str | None, received_at: datetime) -> None:
        if ready.nodes and self._nodes is not None:
            self._nodes.count(ready.nodes, address, received_at)

    def _settled(self, ready: Ready) -> int:
        """Count what the policy left out of a request that is on disk; returns how many events that are."""
        if ready.sifted is None:
            return 0
        self._gate.settle(ready.sifted)
        self.filtered += ready.filtered
        return ready.filtered

    async def _whole_body(self, first: bytes, receive: Receive) -> bytes:
        """The body that begins with `first`, within its time; all of it is counted as in flight."""
        try:
            async with asyncio.timeout(self._body_timeout_ms / 1000):
                return await read_rest(first, receive, self.in_flight)
        except TimeoutError:
            raise WhodidError(
                "timeout",
                f"The body did not arrive within {self._body_timeout_ms:,} ms.",
                "Send it again, in smaller parts if the network is slow.",
            ) from None

    def _looks_at_events(self, caller: Caller) -> bool:
        """Whether what is kept of the caller's events depends on more than their ids."""
        claims = self._claims is not None and self._claims.current
        return _is_bound(caller) or bool(claims) or self._gate.current is not None

    def admitted(self, decoded: Decoded, caller: Caller) -> Ready:
        """What of a request is to be journaled."""
        if _is_bound(caller):
            decoded = bind(caller, decoded)
        if self._claims is not None and self._claims.current:
            decoded = self._claims.checked(caller, decoded)
        ready = self._fresh(decoded, caller)
        if (
            self._nodes is not None
            and decoded.may_name_nodes
            and (tally := self._nodes.tally(decoded.events)) is not None
        ):
            if ready.duplicates:
                kept = set(ready.ids)
                tally = self._nodes.tally([event for event in decoded.events if event.id in kept])
            ready = ready._replace(nodes=tally)
        return ready

    def _fresh(self, decoded: Decoded, caller: Caller) -> Ready:
        """What is not known already, and what the policy keeps of it."""
        ids = decoded.ids
        is_repeated = self._recent.any(ids)
        if self._gate.current is not None:
            return self._sifted(self._gate.current, decoded, caller, is_repeated)
        if not is_repeated:
            return Ready(decoded.payload, ids, 0, decoded.rejects)
        fresh = [event for event in decoded.events if event.id not in self._recent]
        fresh_ids = [event.id for event in fresh]
        return Ready(msgspec.json.encode(fresh), fresh_ids, len(ids) - len(fresh), decoded.rejects)

    def _sifted(self, current: Compiled, decoded: Decoded, caller: Caller, is_repeated: bool) -> Ready:
        """`admitted` while there is a policy."""
        events = decoded.events
        if is_repeated:
            events = [event for event in events if event.id not in self._recent]
        duplicates = len(decoded.events) - len(events)
        sifted = self._gate.sift(current, events, caller.user)
        if sifted is None:
            payload = decoded.payload if not duplicates else msgspec.json.encode(events)
            return Ready(payload, [event.id for event in events], duplicates, decoded.rejects)
        ids = [event.id for event in (*sifted.kept, *sifted.anonymous)]
        return Ready(msgspec.json.encode(sifted.kept), ids, duplicates, decoded.rejects, sifted)

    def _media_of(self, content_type: bytes) -> Media:
        media = self._media.get(content_type)
        if media is None:
            media = media_of(content_type)
            if len(self._media) < 100:
                self._media[content_type] = media
        return media


def _is_bound(caller: Caller) -> bool:
    return bool(caller.topics or caller.nodes or caller.routing_keys or caller.node_type)


def _draft(ready: Ready, caller: Caller, client: tuple[str, int] | None, received_at: datetime, format: str) -> Draft:
    return Draft(
        received_at=received_at,
        events=ready.payload,
        count=len(ready.ids),
        format=format,
        key_id=caller.key_id,
        orig_address=client[0] if client else None,
        rejects=ready.rejects,
    )


def _drafts(
    ready: Ready, caller: Caller, client: tuple[str, int] | None, received_at: datetime, format: str
) -> Iterator[Draft]:
    """The frames of a request: one, and one without key and address if there are events that must not have them."""
    anonymous = ready.sifted.anonymous if ready.sifted is not None else ()
    kept = len(ready.ids) - len(anonymous)
    if kept or ready.rejects:
        draft = _draft(ready, caller, client, received_at, format)
        draft.count = kept
        yield draft
    if anonymous:
        yield Draft(received_at=received_at, events=msgspec.json.encode(anonymous), count=len(anonymous), format=format)


async def _decompressed(body: bytes, encoding: str) -> bytes:
    if len(body) < THREAD_COMPRESSED_BYTES_MIN:
        return decompress(body, encoding, REQUEST_BYTES_MAX)
    # The number of these threads bounds what decompression holds before it is counted.
    return await asyncio.to_thread(decompress, body, encoding, REQUEST_BYTES_MAX)
