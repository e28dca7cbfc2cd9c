"""One server for the tests of a file, with a small story in its store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from support.reading import event
from support.web import WebServer

NASTY = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    now = datetime.now(UTC)
    running = WebServer(tmp_path_factory.mktemp("data"))
    try:
        running.store(
            [
                event("query-start", at=now - timedelta(minutes=5), user="erika", duration_ms=12.5,
                      entities=[("query", "a/b c", "Sales"), ("connection", "Zürich/db")], parameters={"big": 2**60}),
                event("query-failed", at=now - timedelta(minutes=4), user="=cmd|'/c calc'!A1", level="error",
                      error_message=f"{NASTY}\x1b[2J", entities=[("query", "//", NASTY)]),
                event(NASTY[:200], at=now - timedelta(minutes=3), user=NASTY, description=NASTY),
                event("server-started", at=now - timedelta(days=60), source="server"),
            ]
        )  # fmt: skip
        yield running
    finally:
        running.close()
