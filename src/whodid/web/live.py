"""The live tail: events as they are stored, as server-sent events.

A reader pulls: the next look at the store comes when it has taken what came before, so that a slow one costs no
memory. It gets the newest of what it missed and the notice `skipped`; one that takes nothing for `SEND_S` is let go.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from litestar import Response

from whodid.errors import WhodidError
from whodid.reading.cells import encode
from whodid.reading.filters import EventFilter
from whodid.reading.sight import Sight
from whodid.reading.tail import ROWS_MAX, Look, Tail
from whodid.web.services import Services

READERS_MAX: Final = 100
LOOK_S: Final = 0.25
# Other servers may write into the same store: then nothing here tells that something came.
LOOK_ANYWAY_S: Final = 1.0
HEARTBEAT_S: Final = 15.0
SEND_S: Final = 30.0

_readers: set[LiveTail] = set()


class LiveTail:
    """One reader of the live tail; an ASGI application that answers until the reader goes."""

    def __init__(self, services: Services, tail: Tail):
        self._services = services
        self._tail = tail
        self._stored: Any = None
        self._looked_at = 0.0
        self._said_at = time.monotonic()

    @classmethod
    async def open(cls, services: Services, wanted: EventFilter, after: str | None, sight: Sight) -> LiveTail:
        """A reader that begins at the end, or behind the event `after`, and gets what `sight` may see.

        Raises
        ------
        WhodidError("busy")
            Temporary: there are `READERS_MAX` readers already.
        """
        if len(_readers) >= READERS_MAX:
            raise WhodidError(
                "busy", f"{READERS_MAX} readers follow already.", "Try again when one has gone.", retry_after_s=10
            )
        tail = await services.call(Tail, services.store, services.directory, wanted, after or None, sight)
        return cls(services, tail)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        _readers.add(self)
        gone = asyncio.create_task(_gone(receive))
        try:
            headers = [
                (b"content-type", b"text/event-stream; charset=utf-8"),
                (b"cache-control", b"no-store"),
                (b"x-accel-buffering", b"no"),
            ]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await self._say(send, b"retry: 2000\n\n")
            while not gone.done() and not self._services.closing:
                await self._step(send)
                await asyncio.wait([gone], timeout=LOOK_S)
        except (TimeoutError, OSError):
            return
        finally:
            gone.cancel()
            _readers.discard(self)

    async def _step(self, send: Any) -> None:
        look = await self._look() if self._may_have_come() else None
        if look is not None:
            await self._tell(send, look)
        # Also while others' events come in at every look: a proxy cuts a connection that is silent for a minute.
        elif time.monotonic() - self._said_at >= HEARTBEAT_S:
            await self._say(send, b": still here\n\n")

    async def _look(self) -> Look | None:
        try:
            return await self._services.call(self._tail.look)
        except WhodidError as error:
            if not error.kind.temporary:
                raise
            self._stored = None
            return None

    def _may_have_come(self) -> bool:
        stored, now = self._services.writer.status().stored, time.monotonic()
        if stored == self._stored and now - self._looked_at < LOOK_ANYWAY_S:
            return False
        self._stored, self._looked_at = stored, now
        return True

    async def _tell(self, send: Any, look: Look) -> None:
        if look.skipped:
            notice = {"message": f"More came than you take: here are the newest {ROWS_MAX:,}."}
            await self._say(send, b"event: skipped\ndata: " + encode(notice) + b"\n\n")
        told = [
            b"id: %s\nevent: event\ndata: %s\n\n" % (mark.encode(), encode(event))
            for mark, event in self._tail.events(look)
        ]
        for start in range(0, len(told), 100):
            await self._say(send, b"".join(told[start : start + 100]))

    async def _say(self, send: Any, data: bytes) -> None:
        async with asyncio.timeout(SEND_S):
            await send({"type": "http.response.body", "body": data, "more_body": True})
        self._said_at = time.monotonic()


class LiveAnswer(Response[None]):
    """Hands the connection over to a LiveTail."""

    def __init__(self, tail: LiveTail):
        super().__init__(None, media_type="text/event-stream")
        self._tail = tail

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        return self._tail


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
