"""How far a target has come: a small file in its folder, replaced as a whole, durable before anything depends on it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from whodid import durable
from whodid.journal import crash
from whodid.typed import decode

SAVE_EVERY_S: Final = 0.2
NAME: Final = "cursor.json"

crash.register(
    {
        "dispatch.before-send": "a delivery is about to be handed to a target",
        "dispatch.after-send": "a target has taken a delivery; its cursor does not say so",
        "dispatch.after-dead-letters": "refused events are in the dead letters; the cursor stands before them",
        "dispatch.before-cursor": "events are durable at a target; the cursor on disk does not say so",
        "dispatch.after-cursor": "the cursor on disk says what is durable",
    }
)


class Progress(Struct, kw_only=True):
    """By receiver the last number that is dealt with, and what was done since the target was made.

    lost     events that neither the journal nor the store had any more when the target came to them.
    checked  the last number up to which ranges that the journal gave up were looked at for such.
    """

    places: dict[str, int] = {}
    sent: int = 0
    refused: int = 0
    bytes: int = 0
    lost: int = 0
    checked: int = 0


class Cursor:
    """A target's progress, in memory and on disk. One thread moves it; any may read.

    `damage` says what is wrong with the file; then nothing is written, and the target cannot run.
    """

    def __init__(self, folder: Path):
        self._path = folder / NAME
        self._saved_at_s = 0.0
        self._dirty = False
        self._lock = threading.Lock()
        self.damage: str | None = None
        self.progress = self._load()

    def place(self, receiver: str) -> int | None:
        """The last number of a receiver that is dealt with; None before anything was."""
        return self.progress.places.get(receiver)

    def move(self, places: Mapping[str, int]) -> None:
        """Everything up to these places is durable at the target (a place of its own may also lie further back)."""
        for receiver, place in places.items():
            if self.progress.places.get(receiver) != place:
                self.progress.places[receiver] = place
                self._dirty = True

    def count(self, *, sent: int = 0, refused: int = 0, size_bytes: int = 0, lost: int = 0) -> None:
        self.progress.sent += sent
        self.progress.refused += refused
        self.progress.bytes += size_bytes
        self.progress.lost += lost
        self._dirty = True

    def save(self, *, at_once: bool = False) -> None:
        """Write it down, a few times a second at most unless it has to be `at_once`."""
        with self._lock:
            if self.damage or not self._dirty or (not at_once and time.monotonic() - self._saved_at_s < SAVE_EVERY_S):
                return
            crash.point("dispatch.before-cursor")
            self._dirty = False
            try:
                durable.replace(self._path, msgspec.json.encode(self.progress) + b"\n")
            except OSError:
                self._dirty = True
                raise
            self._saved_at_s = time.monotonic()
            crash.point("dispatch.after-cursor")

    def _load(self) -> Progress:
        try:
            return decode(self._path.read_bytes(), Progress)
        except FileNotFoundError:
            return Progress()
        except msgspec.MsgspecError as error:
            self.damage = f"{self._path} is damaged: {error}. Restore it, or delete the target and make it anew."
            return Progress()
