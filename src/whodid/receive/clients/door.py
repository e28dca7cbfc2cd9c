"""The doors of foreign clients: an ASGI callable beside `Ingest`, whose steps, limits and counts it shares."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar
from urllib.parse import parse_qsl, unquote

import anyio
import anyio.to_thread

from whodid.errors import WhodidError
from whodid.receive.access import Access, Caller
from whodid.receive.answer import Send, nothing_accepted, request_id
from whodid.receive.body import Disconnected, Receive
from whodid.receive.clients.base import EMPTY, Answer, Outcome, Request, Route, Taken
from whodid.receive.clients.library import Library
from whodid.receive.clients.people import learn
from whodid.receive.cors import answer_preflight, cors_headers
from whodid.receive.ingest import Ingest

# Foreign input takes longer to read than native: larger bodies are read in a thread.
THREAD_BYTES_MIN: Final = 64 * 1024

# Requests that wait for store or directory at once, and that may wait for their turn.
THREADS: Final = 4
WAITING_MAX: Final = 100

# A path may be taken apart into this many parts; longer ones are nobody's.
PARTS_MAX: Final = 12

_ALLOWED_HEADERS: Final = b"authorization, content-type, content-encoding, x-request-id, x-sentry-auth"
_METHODS: Final = b"GET, POST, PUT"
P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger("whodid.receive")


class Doors:
    """Answers the requests of all clients in `routes`.

    ingest   whose steps a request goes through.
    library  what requests that read are answered from.
    counts   things that were counted instead of stored, by client and name.
    """

    def __init__(self, routes: tuple[Route, ...], ingest: Ingest, access: Access, library: Library):
        self._routes: dict[str, list[tuple[tuple[str, ...], Route]]] = {}
        for route in routes:
            parts = _parts(route.path)
            self._routes.setdefault(parts[0], []).append((parts, route))
        self._ingest = ingest
        self._access = access
        self._library = library
        self._threads = anyio.CapacityLimiter(THREADS)
        self.counts: Counter[tuple[str, str]] = Counter()

    def takes(self, scope: Mapping[str, Any]) -> bool:
        """Whether a request of ASGI is for one of the clients."""
        if scope["type"] != "http" or scope["path"][1:].partition("/")[0] not in self._routes:
            return False
        return self._found(scope) is not None

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        identifier = request_id(headers.get(b"x-request-id"))
        more = cors_headers(self._access, headers) if b"origin" in headers else ()
        found = self._found(scope)
        assert found is not None, "ask `takes` first"
        route, names = found
        query = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True))
        request = Request(scope["method"], scope["path"], names, query, headers, b"", datetime.now(UTC))
        try:
            if scope["method"] == "OPTIONS":
                await answer_preflight(
                    self._access, headers, send, identifier, more, allowed_headers=_ALLOWED_HEADERS, methods=_METHODS
                )
                return
            answer = await self._answer(route, request, scope, receive, identifier)
        except Disconnected:
            return
        except WhodidError as error:
            answer = _failed(route, request, error, EMPTY, identifier)
            if b"expect" in headers:
                # Its body may never come, so this connection cannot be told where the next request begins.
                more = (*more, (b"connection", b"close"))
        except Exception:
            _log.exception("Request %s failed.", identifier.decode())
            answer = _failed(route, request, _unexpected(), EMPTY, identifier)
        await _send(send, answer, identifier, more)

    async def _answer(
        self, route: Route, request: Request, scope: Mapping[str, Any], receive: Receive, identifier: bytes
    ) -> Answer:
        body, held_bytes = b"", 0
        try:
            if route.key_in_body:
                body, held_bytes = await self._ingest.take_body(request.headers, receive)
                request = request._replace(body=body)
            caller = self._caller(route, request, scope)
            if not route.key_in_body:
                body, held_bytes = await self._ingest.take_body(request.headers, receive)
            request = request._replace(body=body, caller=caller, received_at=datetime.now(UTC))
            if route.show is not None:
                return await self._blocking(route.show, request, self._library)
            return await self._taken(route, request, caller, scope, identifier)
        finally:
            self._ingest.in_flight.give(held_bytes)

    def _caller(self, route: Route, request: Request, scope: Mapping[str, Any]) -> Caller:
        headers = request.headers
        secret = route.key(request)
        if secret is not None:
            headers = {**headers, b"authorization": b"Bearer " + secret.encode("latin-1", "replace")}
        return self._access.require(scope, route.scope, headers) if route.scope else self._access.caller(scope, headers)

    async def _taken(
        self, route: Route, request: Request, caller: Caller, scope: Mapping[str, Any], identifier: bytes
    ) -> Answer:
        assert route.read is not None, "a route reads or shows"
        if len(request.body) < THREAD_BYTES_MIN:
            taken = route.read(request)
        else:
            taken = await asyncio.to_thread(route.read, request)
        ready = self._ingest.admitted(taken.decoded, caller, route.client)
        await self._ingest.keep(ready, caller, scope, request.received_at, format=route.client)
        self._count(route, taken)
        outcome = Outcome(len(ready.ids), ready.duplicates, ready.rejects, ready.filtered)
        if outcome.rejects and not (outcome.accepted or outcome.duplicates or outcome.filtered):
            return _failed(route, request, nothing_accepted(outcome.rejects), outcome, identifier)
        if taken.people:
            by = caller.user or caller.name
            await self._blocking(learn, self._library.directory, taken.people, request.received_at, by)
        return route.accepted(request, outcome)

    async def _blocking(self, work: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
        """Run what waits for a database in one of a few threads of its own: reading must not hold up receiving."""
        if self._threads.statistics().tasks_waiting >= WAITING_MAX:
            raise WhodidError("busy", "Too many questions at once.", "Ask again in a moment.", retry_after_s=1)
        return await anyio.to_thread.run_sync(partial(work, *args, **more), limiter=self._threads)

    def _count(self, route: Route, taken: Taken) -> None:
        for name, count in taken.counted.items():
            self.counts[route.client, name] += count

    def _found(self, scope: Mapping[str, Any]) -> tuple[Route, dict[str, str]] | None:
        parts = _parts_of(scope)
        method = scope["method"]
        for pattern, route in self._routes.get(parts[0], ()) if parts else ():
            if method in (route.method, "OPTIONS") and (names := _match(pattern, parts)) is not None:
                return route, names
        return None


def _parts(path: str) -> tuple[str, ...]:
    return tuple(path.strip("/").split("/", PARTS_MAX))


def _parts_of(scope: Mapping[str, Any]) -> tuple[str, ...]:
    """The path's parts, each decoded by itself, so that a name may hold a slash (`%2F`)."""
    raw: bytes | None = scope.get("raw_path")
    if raw is None:
        return _parts(scope["path"])
    return tuple(unquote(part) for part in _parts(raw.partition(b"?")[0].decode("latin-1")))


def _match(pattern: tuple[str, ...], parts: tuple[str, ...]) -> dict[str, str] | None:
    if pattern[-1].endswith("*}") and len(parts) > len(pattern):
        parts = (*parts[: len(pattern) - 1], "/".join(parts[len(pattern) - 1 :]))
    if len(pattern) != len(parts):
        return None
    names: dict[str, str] = {}
    for wanted, part in zip(pattern, parts, strict=True):
        if wanted.startswith("{"):
            names[wanted.strip("{*}")] = part
        elif wanted != part:
            return None
    return names if all(names.values()) else None


def _unexpected() -> WhodidError:
    return WhodidError("internal", "Something went wrong here.", "Send it again; the server's log names this request.")


def _failed(route: Route, request: Request, error: WhodidError, outcome: Outcome, identifier: bytes) -> Answer:
    answer = route.failed(request, error, outcome, identifier)
    more = list(answer.headers)
    if error.retry_after_s is not None or error.code in ("busy", "unavailable"):
        more.append((b"retry-after", b"%d" % (error.retry_after_s or 1)))
    if error.code == "unauthorized":
        more.append((b"www-authenticate", b"Bearer"))
    return answer._replace(headers=more)


async def _send(send: Send, answer: Answer, identifier: bytes, more: Any) -> None:
    headers = [
        (b"content-type", answer.media_type.encode()),
        (b"content-length", b"%d" % len(answer.body)),
        (b"x-request-id", identifier),
        *answer.headers,
        *more,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
