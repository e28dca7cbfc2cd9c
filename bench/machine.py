"""What the machine can do, printed beside every durable number."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path


def fdatasync_ms(folder: Path, rounds: int = 300) -> float:
    """Median time of a 4 KiB append with fdatasync in `folder`, in milliseconds."""
    path = folder / "fdatasync.probe"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    taken = []
    try:
        for _ in range(rounds):
            start = time.perf_counter()
            os.write(descriptor, b"x" * 4096)
            os.fdatasync(descriptor)
            taken.append(time.perf_counter() - start)
    finally:
        os.close(descriptor)
        path.unlink()
    return statistics.median(taken) * 1e3


def describe(folder: Path) -> str:
    """One line: cores and fdatasync latency."""
    return f"{os.cpu_count()} cores, fdatasync p50 {fdatasync_ms(folder):.2f} ms"
