"""A server of its own process, as a user starts it, until the block ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.serving import ServerProcess


@contextmanager
def serving(data: Path, *options: str, environment: dict[str, str] | None = None) -> Iterator[ServerProcess]:
    """`whodid serve` on a free port with `data` as its folder; `environment` is added to this process's."""
    server = ServerProcess(data, *options, environment=environment).start()
    try:
        yield server
    finally:
        server.stop(timeout_s=300)
