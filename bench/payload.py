"""The bodies of `whodid bench`, which all benchmarks post."""

from __future__ import annotations

from whodid.benchmark.payload import EVENT_BYTES, Bodies

__all__ = ["EVENT_BYTES", "Bodies"]
