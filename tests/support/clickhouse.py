"""A ClickHouse server for tests: the real engine (PyPI's chdb) in a process of its own, behind the HTTP interface that
the real client speaks.

It serves what the client asks of a server: sessions with temporary tables, settings of a request, formats, errors with
their numbers. One process, one folder: it can be stopped, killed and started again on what it had.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

START_S_MAX = 60.0
# What a request says besides settings of the engine.
_OF_TRANSPORT = frozenset(
    [
        *("query", "database", "session_id", "session_timeout", "session_check", "query_id", "quota_key"),
        *("default_format", "compress", "decompress", "buffer_size", "wait_end_of_query", "client_protocol_version"),
        *("role", "send_progress_in_http_headers", "http_headers_progress_interval_ms", "enable_http_compression"),
        *("user", "password"),
    ]
)
_INSERT = re.compile(r"\s*INSERT\s+INTO\s.*\bFORMAT\s+(\w+)\s*\Z", re.IGNORECASE | re.DOTALL)
_CODE = re.compile(r"Code: (\d+)")


class ClickHouseMissing(Exception):
    """There is no engine to start here; the text says why."""


class ClickHouseServer:
    """A server on `folder`, at a port that stays its own through stops and starts."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> ClickHouseServer:
        """Start it, and wait until it answers (1 s)."""
        if find_spec("chdb") is None:
            raise ClickHouseMissing("PyPI's chdb is not installed")
        self.folder.mkdir(parents=True, exist_ok=True)
        words = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*words, sys.executable, __file__, str(self.folder), str(self.port)], stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_S_MAX
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ping"):
                return self
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise ClickHouseMissing(f"chdb did not start: see {log.name}")

    def url(self, database: str = "whodid", **options: str) -> str:
        """The address of a store in a database."""
        said = "&".join(f"{name}={value}" for name, value in options.items())
        return f"clickhouse://127.0.0.1:{self.port}/{database}{'?' + said if said else ''}"

    def fresh_url(self, **options: str) -> str:
        """The address of a store in a database that is not there yet."""
        return self.url(f"t{uuid.uuid4().hex[:12]}", **options)

    def drop(self, url: str) -> None:
        """Drop the database of a store's address."""
        self.run(f"DROP DATABASE IF EXISTS {urlsplit(url).path.strip('/')} SYNC")

    def run(self, sql: str) -> str:
        """Run a statement behind the store's back; returns its answer, tab-separated."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/", data=sql.encode())
        with urllib.request.urlopen(request) as answer:
            text: str = answer.read().decode()
        return text

    def processor_s(self) -> float:
        """Seconds of processor time that it has taken since its start."""
        assert self._process is not None
        told = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """Let it finish what it does, and end it."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """For the length of a block it takes connections and says nothing, as one does whose disk hangs."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=60)
            self._process = None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


class _Engine:
    """The engine, and a handle of it for every session."""

    def __init__(self, folder: str):
        chdb = import_module("chdb")
        self._connect: Callable[[], Any] = lambda: chdb.connect(folder)
        self._keeper = self._connect()
        self._sessions: dict[str, tuple[Any, threading.Lock]] = {}
        self._lock = threading.Lock()

    def run(self, sql: str, options: dict[str, str], form: str) -> bytes:
        session = options.get("session_id")
        if session is None:
            handle = self._connect()
            try:
                return self._run(handle, sql, options, form)
            finally:
                handle.close()
        with self._lock:
            if session not in self._sessions:
                self._sessions[session] = (self._connect(), threading.Lock())
            handle, turn = self._sessions[session]
        with turn:
            return self._run(handle, sql, options, form)

    def _run(self, handle: Any, sql: str, options: dict[str, str], form: str) -> bytes:
        if database := options.get("database"):
            handle.query(f"USE `{database}`")
        settings = {name: value for name, value in options.items() if name not in _OF_TRANSPORT}
        # The one after which nothing else can be set.
        readonly = settings.pop("readonly", None)
        if settings:
            handle.query("SET " + ", ".join(f"{name} = {_quoted(value)}" for name, value in settings.items()))
        if readonly is not None:
            handle.query(f"SET readonly = {readonly}")
        try:
            answer: bytes = handle.query(sql, form).bytes() or b""
        finally:
            if options.get("session_id") and settings:
                handle.query("SET " + ", ".join(f"{name} = DEFAULT" for name in settings))
        return answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Else the body of an answer waits 40 ms for the client to confirm its head.
    disable_nagle_algorithm = True
    engine: _Engine

    def do_GET(self) -> None:
        self._answer(200, b"Ok.\n") if self.path == "/ping" else self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self._body())

    def log_message(self, *_: Any) -> None:
        pass

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline().strip(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _serve(self, body: bytes) -> None:
        options = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        sql = options.pop("query", "")
        if not sql:
            sql, body = body.decode(), b""
        try:
            if (insert := _INSERT.match(sql)) is not None:
                answer = self._insert(sql, insert[1], body, options)
            else:
                answer = self.engine.run(sql, options, options.get("default_format", "TabSeparated"))
        except Exception as problem:
            text = str(problem)
            code = _CODE.search(text)
            self._answer(500, text.encode(), {"X-ClickHouse-Exception-Code": code[1] if code else "1"})
        else:
            self._answer(200, answer, {"X-ClickHouse-Format": "TabSeparated"} if answer else {})

    def _insert(self, sql: str, form: str, body: bytes, options: dict[str, str]) -> bytes:
        with tempfile.NamedTemporaryFile() as file:
            file.write(body)
            file.flush()
            statement = re.sub(r"\bFORMAT\s+\w+\s*\Z", f"FROM INFILE '{file.name}' FORMAT {form}", sql, flags=re.I)
            return self.engine.run(statement, options, "TabSeparated")

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


def _serve(folder: str, port: int) -> None:
    _Handler.engine = _Engine(folder)
    server = _Server(("127.0.0.1", port), _Handler)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    server.serve_forever()


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
