"""What the machine can do, printed beside every durable number."""

from __future__ import annotations

import os
import statistics
from pathlib import Path

from whodid.benchmark.machine import fdatasyncs_ms


def fdatasync_ms(folder: Path, rounds: int = 300) -> float:
    """Median time of a 4 KiB append with fdatasync in `folder`, in milliseconds."""
    return statistics.median(fdatasyncs_ms(folder, rounds))


def describe(folder: Path) -> str:
    """One line: cores and fdatasync latency."""
    return f"{os.cpu_count()} cores, fdatasync p50 {fdatasync_ms(folder):.2f} ms"
