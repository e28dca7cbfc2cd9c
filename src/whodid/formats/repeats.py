"""Telling equal lines of a file apart: the n-th of them is an event of its own, whenever the file is read again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from xxhash import xxh3_128_digest

WINDOW_LINES: Final = 128


class Repeats:
    """Digests of lines that have no id, with how often each of the last `WINDOW_LINES` different ones came before."""

    def __init__(self) -> None:
        self._window: dict[bytes, int] = {}

    def digests(self, texts: Sequence[bytes]) -> list[bytes]:
        """16 bytes a line, each its own; how lines are cut into runs makes no difference."""
        digests = [xxh3_128_digest(text) for text in texts]
        window = self._window
        if len(set(digests)) == len(digests) and window.keys().isdisjoint(digests):
            latest = list(window.items())[-WINDOW_LINES:] + [(digest, 0) for digest in digests[-WINDOW_LINES:]]
            self._window = dict(latest[-WINDOW_LINES:])
            return digests
        for place, digest in enumerate(digests):
            repeated = window.pop(digest, -1) + 1
            window[digest] = repeated
            if repeated:
                digests[place] = xxh3_128_digest(texts[place], seed=repeated)
            elif len(window) > WINDOW_LINES:
                del window[next(iter(window))]
        return digests

    def state(self) -> bytes:
        """What `restore` needs to go on; 20 bytes a line of the window."""
        return b"".join([digest + repeated.to_bytes(4, "big") for digest, repeated in self._window.items()])

    def restore(self, state: bytes) -> None:
        entries = [state[at : at + 20] for at in range(0, len(state), 20)]
        self._window = {entry[:16]: int.from_bytes(entry[16:], "big") for entry in entries}
