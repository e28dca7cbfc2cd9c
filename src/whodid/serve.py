"""The wiring: which parts make up a running whodid, and how they start and stop.

                       ┌───────────────────────────── Server ──────────────────────────────┐
    HTTP ─► protocol ──┤► Ingest (POST /v1/events) ─┐                                      │
            (limits)   │► web (Litestar: the rest) ─┼─► ┌──────────── Engine ───────────┐  │
                       │        ▲ Access            │   │ journal ─► writer ─► store    │  │
                       └────────┼───────────────────┘   │ (segments)  │     (DuckDB|PG) │  │
    whodid import ──────────────┼──────────────────────►│             ▼                 │  │
                                └───────────────────────┤ directory (SQLite|PG)         │  │
                                                        └───────────────────────────────┘  │

`Engine` (`engine.py`) is everything but HTTP.
"""

from __future__ import annotations

import asyncio
import gc
import secrets
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

from whodid.config import Config
from whodid.engine import Engine
from whodid.errors import WhodidError

if TYPE_CHECKING:
    from whodid.receive.access import Access
    from whodid.receive.checkers import Checkers
    from whodid.web.services import Services

# The writer thread of the journal needs the interpreter back soon after its fdatasync.
SWITCH_INTERVAL_S = 0.0005

# Requests leave no cycles behind; each look for some takes milliseconds in which nothing is answered.
COLLECT_AFTER = (50_000, 20, 20)
COLLECT_USUALLY = gc.get_threshold()


class Server:
    """The whole program on one port. `start` returns when it answers; `close` finishes what was accepted.

    over  set when it has stopped answering; who sets it asks those who wait for it to go on.
    """

    def __init__(self, config: Config):
        self.config = config
        self.engine: Engine
        self.access: Access
        self._checkers: Checkers
        self._services: Services
        # Of letters and digits alone: what begins with a - is no value on a command line.
        self._local_key = secrets.token_hex(32)
        self._socket: socket.socket
        self._thread: threading.Thread | None = None
        self._uvicorn: Any = None
        self._ended = threading.Event()
        self._opened = False
        self.over = threading.Event()

    def open(self) -> None:
        """Bind the port and open the engine, which may wait for its store; nobody is answered yet.

        Raises
        ------
        WhodidError("conflict")
            The data folder or the port belongs to another process.
        WhodidError("forbidden")
            The address is off loopback and there is neither a key nor a user yet.
        """
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._socket = _bind(self.config.host, self.config.port)
        try:
            self.engine = Engine.open(self.config, url=self.url, key=self._local_key)
        except BaseException:
            self._socket.close()
            raise
        self._opened = True
        try:
            self._refuse_open_doors()
        except BaseException:
            self._let_go()
            raise

    def start(self) -> None:
        """Begin to answer; `open` first, if that was not done."""
        if not self._opened:
            self.open()
        try:
            self._serve()
            _spare_collections()
        except BaseException:
            self._let_go()
            raise

    @property
    def url(self) -> str:
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def _address(self) -> str:
        """Where other machines reach this server: by the name of this one if it listens on all addresses."""
        host, port = self._socket.getsockname()[:2]
        return f"http://{socket.gethostname()}:{port}" if host in ("0.0.0.0", "::") else self.url  # noqa: S104 (compared)

    @property
    def on_loopback(self) -> bool:
        host = self._socket.getsockname()[0]
        return bool(host == "::1" or host.startswith("127."))

    @property
    def sign_in_link(self) -> str:
        """A fresh link that signs one browser in, once."""
        return f"{self.url}/sign-in?token={self.engine.directory.create_sign_in_token()}"

    def close(self) -> None:
        """Be not ready, stop answering, finish what was accepted, store it, let go of the folder.

        What is not stored within `drain_ms` stays in the journal, for the next start.
        """
        if self._thread is not None:
            self.engine.directory.hasten()
            self.engine.presence.drain()
            self._ended.wait(self.config.drain_delay_ms / 1_000)
            self._services.closing = True
            self._uvicorn.should_exit = True
            self._thread.join()
            self._thread = None
            self._checkers.close()
            self._let_go()
            _collect_as_usual()

    def _let_go(self) -> None:
        self._opened = False
        self._socket.close()
        self.engine.close()

    def _refuse_open_doors(self) -> None:
        if not self.on_loopback and not self.engine.directory.has_keys_or_users():
            raise WhodidError(
                "forbidden",
                f"{self.config.host} can be reached from other machines, and there is neither a key nor a user yet.",
                "Make one first: whodid key create NAME --scope admin; or listen on 127.0.0.1.",
            )

    def _serve(self) -> None:
        import uvicorn

        from whodid.datasets.door import PATH as IMPORT_PATH
        from whodid.datasets.door import ImportDoor
        from whodid.receive.access import Access
        from whodid.receive.agents import PATHS as AGENT_PATHS
        from whodid.receive.agents import AgentDoor
        from whodid.receive.checkers import Checkers
        from whodid.receive.claims import Claims
        from whodid.receive.clients import ROUTES, Doors, Library
        from whodid.receive.cors import Preflight
        from whodid.receive.ingest import Ingest
        from whodid.receive.protocol import limited_protocol
        from whodid.web.app import create_app
        from whodid.web.services import Services

        config, engine = self.config, self.engine
        self.access = Access(
            engine.directory,
            local_key=self._local_key,
            loopback=self.on_loopback,
            public_url=config.public_url,
            origins=config.allowed_origins,
            hosts=config.allowed_hosts,
        )
        claims = Claims(engine.directory)
        self._checkers = Checkers()
        self.ingest = Ingest(
            engine.journal,
            self.access,
            body_timeout_ms=config.body_timeout_ms,
            gate=engine.policies.gate,
            claims=claims,
            nodes=engine.nodes,
            checkers=self._checkers,
        )
        agents = AgentDoor(self.ingest, self.access, engine.nodes)
        library = Library(directory=engine.directory, store=engine.store, record=engine.record)
        self.clients = Doors(ROUTES, self.ingest, self.access, library)
        self._services = Services.of(engine, self.access, counted=lambda: dict(self.clients.counts))
        web = create_app(self._services)
        engine.policies.watch()
        engine.dispatch.dispatcher.start()
        engine.beside.start()
        engine.nodes.start()
        engine.retention.start()
        engine.presence.start(self._address)
        self._uvicorn = uvicorn.Server(
            uvicorn.Config(
                _route(
                    {
                        "/v1/events": self.ingest,
                        IMPORT_PATH: ImportDoor(engine.journal, self.access, self.ingest, claims),
                        **dict.fromkeys(AGENT_PATHS, agents),
                    },
                    {"/v1/policy": Preflight(self.access, methods=b"GET")},
                    self.clients,
                    web,
                ),
                http=limited_protocol(config, {b"/v1/events": self.ingest.at_once}),
                ws="none",
                loop="none",
                proxy_headers=False,
                access_log=False,
                log_level="warning",
                server_header=False,
                date_header=False,
                timeout_graceful_shutdown=10,
            )
        )
        self._thread = threading.Thread(target=self._run, name="whodid-http")
        self._thread.start()
        while not self._uvicorn.started:
            if not self._thread.is_alive():
                raise WhodidError("internal", "The HTTP server did not start.", "Its log says why.")
            threading.Event().wait(0.005)

    def _run(self) -> None:
        import uvloop

        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._uvicorn.serve(sockets=[self._socket]))
        finally:
            self._ended.set()
            self.over.set()


def _spare_collections() -> None:
    """Let the garbage collector pass over what is here to stay, and look seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def _collect_as_usual() -> None:
    """Give the garbage collector everything back, so that the interpreter ends without leftovers."""
    gc.unfreeze()
    gc.set_threshold(*COLLECT_USUALLY)


def _route(doors: dict[str, Any], preflights: dict[str, Any], clients: Any, web: Any) -> Any:
    """Events straight to the callable of their path, foreign clients to theirs, the rest to the web application.

    preflights  what answers the question of browsers (OPTIONS) whether another origin's page may call a path of it.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["method"] in ("POST", "OPTIONS") and scope["path"] in doors:
            await doors[scope["path"]](scope, receive, send)
        elif scope["type"] == "http" and scope["method"] == "OPTIONS" and scope["path"] in preflights:
            await preflights[scope["path"]](scope, receive, send)
        elif clients.takes(scope):
            await clients(scope, receive, send)
        else:
            await web(scope, receive, send)

    return app


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise WhodidError(
            "conflict",
            f"Cannot listen on {host} port {port}: {error.strerror}.",
            "Another program may use the port: choose one with --port, or --port 0 for a free one.",
        ) from error
    bound.set_inheritable(True)
    return bound
