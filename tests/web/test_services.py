"""What handlers ask of the parts that block, in threads of their own."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from support.web import WebServer


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a priority for each thread")
def test_threads_that_ask_give_way_to_the_one_that_answers(tmp_path: Path) -> None:
    server = WebServer(tmp_path / "data")

    async def asked() -> int:
        return await replace(server.services, threads=anyio.CapacityLimiter(1)).call(niceness)

    try:
        before = niceness()
        assert asyncio.run(asked()) > before
        assert niceness() == before
    finally:
        server.close()
