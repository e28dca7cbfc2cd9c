"""What doors notice of nodes: counted in memory, written down every second or two, watched for silence."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from whodid.agent.wire import Hello
from whodid.directory import Directory
from whodid.directory.nodes import NodeSeen
from whodid.errors import WhodidError
from whodid.receive.tally import API_TYPE, Counted

WRITE_EVERY_S: Final = 1.0
# Names are whatever senders say: beyond so many at once the rest is not counted.
NODES_MAX: Final = 10_000

_log = logging.getLogger("whodid.nodes")


class NodeBook:
    """Notes nodes for the directory.

    silent_s, quiet_s
        After how long without anything a node counts as silent: one with an agent, one without; 0: never.
    on_api
        Called, in this thread, when an API node is seen first since the start.
    """

    def __init__(
        self, directory: Directory, *, silent_s: float, quiet_s: float, on_api: Callable[[], None] | None = None
    ):
        self._directory = directory
        self._silent_s = silent_s
        self._quiet_s = quiet_s
        self._on_api = on_api
        self._api_seen = False
        self._api_told = on_api is None
        self._lock = threading.Lock()
        self._seen: dict[str, NodeSeen] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._began_s = time.monotonic()

    def count(self, tally: Iterable[Counted], address: str | None, at: datetime) -> None:
        """Events of nodes are durable."""
        with self._lock:
            for one in tally:
                if (seen := self._of(one.node, at)) is not None:
                    seen.events += one.events
                    seen.last_event_at = at
                    seen.node_type = one.node_type or seen.node_type
                    seen.address = address or seen.address
                self._api_seen = self._api_seen or one.is_api

    def hear(self, hello: Hello, address: str | None, at: datetime, *, heartbeat: bool) -> None:
        """The agent of a node said something; its clock is compared at signs of life, which take no time to send."""
        if hello.node is None:
            return
        with self._lock:
            seen = self._of(hello.node, at)
            if seen is None:
                return
            seen.heartbeat_at = at
            if heartbeat:
                seen.clock_ahead_ms = round((hello.sent_at - at).total_seconds() * 1000)
            seen.node_type = hello.node_type or seen.node_type
            seen.waiting_events, seen.waiting_bytes = hello.waiting_events, hello.waiting_bytes
            seen.version, seen.address, seen.agent = hello.version, address, hello.agent
            self._api_seen = self._api_seen or hello.node_type == API_TYPE

    def start(self) -> None:
        """Write and watch from now on, until `close`."""
        self._thread = threading.Thread(target=self._run, name="whodid-nodes", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what is noted, and stop."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._guarded(self.write)

    def write(self) -> None:
        """Write down what was noted since the last time. Raises as the directory does; then it is kept."""
        with self._lock:
            seen, self._seen = self._seen, {}
        try:
            if seen:
                self._directory.note_nodes(seen.values())
        except WhodidError:
            with self._lock:
                for name, one in seen.items():
                    later = self._seen.get(name)
                    self._seen[name] = one if later is None else _joined(one, later)
            raise

    def look(self) -> None:
        """Write, tell of silent nodes, and of the first API node."""
        self.write()
        up_s = time.monotonic() - self._began_s
        # While this server was away nothing could arrive: nodes get their time anew.
        self._directory.tell_silent(
            self._silent_s if up_s > self._silent_s else 0, self._quiet_s if up_s > self._silent_s else 0
        )
        if self._api_seen and not self._api_told and self._on_api is not None:
            self._on_api()
            self._api_told = True

    def _run(self) -> None:
        while not self._stop.wait(WRITE_EVERY_S):
            self._guarded(self.look)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except WhodidError as error:
            _log.warning("Nodes could not be written down: %s", error)
        except Exception:
            _log.exception("Nodes could not be looked after.")

    def _of(self, node: str, at: datetime) -> NodeSeen | None:
        seen = self._seen.get(node)
        if seen is None:
            if len(self._seen) >= NODES_MAX:
                return None
            seen = self._seen[node] = NodeSeen(node=node, at=at)
        seen.at = max(seen.at, at)
        return seen


def _joined(earlier: NodeSeen, later: NodeSeen) -> NodeSeen:
    later.events += earlier.events
    for name in NodeSeen.__struct_fields__:
        if getattr(later, name) is None:
            setattr(later, name, getattr(earlier, name))
    return later
