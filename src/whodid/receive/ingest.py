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
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, NamedTuple

from whodid.errors import WhodidError
from whodid.event import REQUEST_BYTES_MAX, REQUEST_EVENTS_MAX
from whodid.formats.base import Decoded
from whodid.formats.compression import compression_of, decompress
from whodid.formats.native import Media, array_of, decode_body
from whodid.journal.base import Draft, Intake, Outcome
from whodid.policy.gate import Gate
from whodid.receive.access import Access, Caller, Headers
from whodid.receive.admission import Admission, Ready, draft_of, drafts_of
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
from whodid.receive.body import Disconnected, InFlight, Receive, declared_size, media_of, read_rest
from whodid.receive.checkers import BODY_BYTES_MIN, Checkers
from whodid.receive.claims import Claims
from whodid.receive.cors import answer_preflight, cors_headers
from whodid.receive.nodes import NodeBook
from whodid.receive.recent import RecentIds
from whodid.receive.short import Done
from whodid.receive.slots import Checked
from whodid.receive.tally import Counted

# Larger bodies are read in a thread, so that they do not hold up the answers to small ones.
THREAD_BYTES_MIN: Final = 2 * 1024 * 1024
THREAD_COMPRESSED_BYTES_MIN: Final = 16 * 1024

_log = logging.getLogger("whodid.receive")


class _Post(NamedTuple):
    """A request on the short way."""

    headers: Headers
    caller: Caller
    client: tuple[str, int] | None
    received_at: datetime
    size_bytes: int
    done: Done


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
    checkers         have time for large bodies when this process has not.
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
        checkers: Checkers | None = None,
    ):
        self._journal = journal
        self._access = access
        self._body_timeout_ms = body_timeout_ms
        self.in_flight = in_flight or InFlight()
        self._recent = recent or RecentIds()
        self._gate = gate or Gate()
        self._nodes = nodes
        self._admission = Admission(self._recent, self._gate, claims, counts_nodes=nodes is not None)
        self._checkers = checkers
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
            looked_at = self._admission.looks_at_events(caller)
            post = _Post(headers, caller, client, received_at, len(body), done)
            self.in_flight.take(len(body))
            try:
                if not looked_at and self._is_handed_over(body, media, post):
                    return True
                decoded = decode_body(body, media, received_at=received_at, looked_at=looked_at)
                if not decoded.rejects and self._is_submitted(decoded, post):
                    return True
            except BaseException:
                self.in_flight.give(len(body))
                raise
            self.in_flight.give(len(body))
        except Exception:
            # The long way meets it again and knows how to tell it.
            return False
        return False

    def _is_handed_over(self, body: bytes, media: Media, post: _Post) -> bool:
        """Whether another process reads and checks a body."""
        if self._checkers is None or len(body) < BODY_BYTES_MIN:
            return False
        array = array_of(body, media)
        return array is not None and self._checkers.take(array, partial(self._checked, array, post))

    def _checked(self, array: bytes, post: _Post, checked: Checked | None) -> None:
        """Go on with a request when its body was read elsewhere."""
        try:
            if checked is not None and len(checked.ids) <= REQUEST_EVENTS_MAX:
                decoded = Decoded(payload=array, ids=checked.ids)
                if self._is_submitted(decoded, post, checked.nodes):
                    return
        except Exception:
            # The long way meets it again and knows how to tell it.
            _log.debug("A request that was checked goes the long way.", exc_info=True)
        self.in_flight.give(post.size_bytes)
        post.done(None)

    def _is_submitted(self, decoded: Decoded, post: _Post, nodes: Sequence[Counted] = ()) -> bool:
        """Whether all of a request is to be kept, and the journal has it."""
        ready = self.admitted(decoded, post.caller)
        if ready.duplicates or ready.rejects or not ready.ids or not self._may_go_at_once(ready):
            return False
        if nodes:
            ready = ready._replace(nodes=nodes)
        draft = draft_of(ready, post.caller, post.client, post.received_at, "native")
        self._journal.submit(draft, partial(self._kept_at_once, post, draft, ready))
        return True

    def _may_go_at_once(self, ready: Ready) -> bool:
        """Whether a request may; what captures took of one that goes the long way is given back first."""
        if ready.sifted is None or not ready.sifted.captured:
            return True
        self._gate.release(ready.sifted)
        return False

    def _kept_at_once(self, post: _Post, draft: Draft, ready: Ready, outcome: Outcome) -> None:
        self.in_flight.give(post.size_bytes)
        if isinstance(outcome, WhodidError):
            post.done(None)
            return
        self._recent.add(ready.ids)
        self.accepted += len(ready.ids)
        self._note_nodes(ready, draft.orig_address, draft.received_at)
        filtered = self._settled(ready)
        post.done(whole(summary(len(ready.ids), 0, (), filtered), request_id(post.headers.get(b"x-request-id"))))

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
            decode = partial(
                decode_body, body, media, received_at=received_at, looked_at=self._admission.looks_at_events(caller)
            )
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
            if (encoding := _encoding_of(body, headers)) is not None:
                body = await _decompressed(body, encoding)
                self.in_flight.take(len(body))
                held_bytes += len(body)
        except BaseException:
            self.in_flight.give(held_bytes)
            raise
        return body, held_bytes

    def admitted(self, decoded: Decoded, caller: Caller, format: str = "native") -> Ready:
        """What of a request is to be kept, for `keep`; `format` is what its events came in as."""
        return self._admission.ready(decoded, caller, format)

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
                for draft in drafts_of(ready, caller, scope.get("client"), received_at, format):
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

    def _media_of(self, content_type: bytes) -> Media:
        media = self._media.get(content_type)
        if media is None:
            media = media_of(content_type)
            if len(self._media) < 100:
                self._media[content_type] = media
        return media


def _encoding_of(body: bytes, headers: Mapping[bytes, bytes]) -> str | None:
    """How a body is packed: what its sender says, else what its first bytes tell, with which no JSON begins."""
    told = headers.get(b"content-encoding")
    return compression_of(body) if told is None else told.decode("latin-1")


async def _decompressed(body: bytes, encoding: str) -> bytes:
    if len(body) < THREAD_COMPRESSED_BYTES_MIN:
        return decompress(body, encoding, REQUEST_BYTES_MAX)
    # The number of these threads bounds what decompression holds before it is counted.
    return await asyncio.to_thread(decompress, body, encoding, REQUEST_BYTES_MAX)
