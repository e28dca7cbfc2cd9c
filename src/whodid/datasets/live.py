"""A pipe as a stream that gives what is there, at once, and as much of it as fits."""

from __future__ import annotations

import io
import os
import select
from typing import Final

_PIPE_BYTES: Final = 64 * 1024


class Live(io.RawIOBase):
    """Reads a descriptor: waits for the first bytes, then takes what else is there already.

    So a line typed or tailed into a pipe is imported at once, and a whole file poured into it in big blocks.
    """

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        self._position = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # of all buffers only this kind is given
        filled = 0
        while filled < len(buffer) and (not filled or self._is_ready()):
            got = os.read(self._descriptor, min(_PIPE_BYTES, len(buffer) - filled))
            if not got:
                break
            buffer[filled : filled + len(got)] = got
            filled += len(got)
        self._position += filled
        return filled

    def _is_ready(self) -> bool:
        return bool(select.select([self._descriptor], [], [], 0)[0])
