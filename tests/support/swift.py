"""An S3 server that is not moto: OpenStack Swift's S3 door, which checks signatures, checksums and If-None-Match."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from support.s3 import S3Server


class SwiftMissing(Exception):
    """Swift is not installed; the message says how to have it."""


@contextmanager
def swift_server(folder: Path, clock_ahead_s: float = 0.0) -> Iterator[S3Server]:
    """A server of its own (2 s), which is gone when the test's process is. About 20 small objects a second."""
    if find_spec("swift") is None:
        raise SwiftMissing("OpenStack Swift is not installed: uv sync")
    if not _has_attributes(folder):
        raise SwiftMissing(f"Swift needs extended attributes of files, which {folder} does not have.")
    command = [sys.executable, "-W", "ignore", "-m", "support.swift_child", str(folder), str(clock_ahead_s)]
    child = subprocess.Popen(
        command, cwd=Path(__file__).parent.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        port = int(child.stdout.readline())
        yield S3Server(f"http://127.0.0.1:{port}", "test:tester", "testing")


def _has_attributes(folder: Path) -> bool:
    try:
        os.setxattr(folder, "user.whodid", b"1")
    except OSError:
        return False
    return True
