"""What a machine can do before whodid is on it: processors, memory, disk."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from whodid import durable

PROBE_BYTES: Final = 4096
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


class Machine(Struct, kw_only=True):
    """A machine and the disk of a folder. Latencies are of an append of `PROBE_BYTES` with fdatasync."""

    cores: int
    memory_bytes: int
    disk_free_bytes: int
    fdatasync_p50_ms: float
    fdatasync_p99_ms: float


def look(folder: Path) -> Machine:
    """Measure the machine and the disk of `folder`; takes about a tenth of a second on an SSD."""
    taken_ms = fdatasyncs_ms(folder)
    return Machine(
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        disk_free_bytes=shutil.disk_usage(folder).free,
        fdatasync_p50_ms=percentile(taken_ms, 0.5),
        fdatasync_p99_ms=percentile(taken_ms, 0.99),
    )


def fdatasyncs_ms(folder: Path, rounds: int = 300, seconds: float = 3.0) -> list[float]:
    """Times of appends with fdatasync in `folder`, in milliseconds: so many, or as many as fit into the time."""
    path = folder / "fdatasync.probe"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    taken_ms: list[float] = []
    end = time.perf_counter() + seconds
    try:
        while len(taken_ms) < rounds and (begin := time.perf_counter()) < end:
            os.write(descriptor, b"x" * PROBE_BYTES)
            durable.sync(descriptor)
            taken_ms.append((time.perf_counter() - begin) * 1e3)
    finally:
        os.close(descriptor)
        path.unlink()
    return taken_ms


def processor_s(process: int) -> float | None:
    """Processor time that a process has taken, user and system, in seconds; None where the system does not tell."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of `values` lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
