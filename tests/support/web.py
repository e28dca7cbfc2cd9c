"""The web application on real parts, served on a free port, without the doors that take events in."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import uvicorn
import uvloop

from whodid.config import Config
from whodid.engine import Engine
from whodid.event import Event
from whodid.journal.base import Draft
from whodid.receive.access import Access
from whodid.web.app import create_app
from whodid.web.services import Services

LOCAL_KEY = "the-local-key"


class WebServer:
    """An engine on `data` and the web application before it. `client` has the rights of the folder's owner."""

    def __init__(self, data: Path, **options: Any):
        self.engine = Engine.open(Config(data=str(data), **options))
        engine = self.engine
        self.services = Services.of(engine, Access(engine.directory, local_key=LOCAL_KEY, loopback=True))
        self.app = create_app(self.services)
        bound = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        self._server = uvicorn.Server(uvicorn.Config(self.app, log_level="warning", timeout_graceful_shutdown=1))
        self._thread = threading.Thread(target=self._run, args=(bound,))
        self._thread.start()
        self.client = self.as_caller(LOCAL_KEY)
        self.stranger = httpx.Client(base_url=self.url)
        self.stranger.get("/healthz", timeout=30)

    def _run(self, bound: socket.socket) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._server.serve(sockets=[bound]))

    def as_caller(self, key: str) -> httpx.Client:
        """A client that shows this key."""
        return httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {key}"}, timeout=30)

    def store(self, events: Sequence[Event], **draft: Any) -> None:
        """Take events in; they are stored when this returns."""
        frame = Draft(
            received_at=datetime.now(UTC), events=msgspec.json.encode(list(events)), count=len(events), **draft
        )
        self.engine.journal.append_blocking(frame)
        self.engine.flush()

    def recorded(self, kind: str) -> list[dict[str, Any]]:
        """Whodid's own events of a type, oldest first."""
        self.engine.flush()
        found = self.engine.store.query(
            "SELECT * FROM events WHERE type = $kind ORDER BY seq", {"kind": kind}, trusted=True
        ).table
        return list(found.to_pylist())

    def close(self) -> None:
        self.client.close()
        self.stranger.close()
        self._server.should_exit = True
        self._thread.join()
        self.engine.close()
