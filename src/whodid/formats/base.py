"""The contract of a format: bytes in, events out; events in, bytes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from whodid.event import Event, Rejection


class Decoded(Struct, kw_only=True):
    """What a run of input became.

    `payload` is the JSON array of exactly `events`, in the form that `whodid.journal.base.Draft.events` asks for.
    """

    events: list[Event] = []
    payload: bytes = b"[]"
    rejects: list[Rejection] = []


class Decoder(Protocol):
    """Reads one file or stream of a format, a run of whole lines at a time.

    It may remember what it needs to tell repeated lines apart; `state` and `restore` carry that over a restart.
    """

    name: str

    def decode(self, lines: bytes, *, first_line: int = 1) -> Decoded:
        """Events and rejections of whole lines (the last one may lack its line break). Never raises for bad input."""

    def state(self) -> bytes:
        """What `restore` needs to go on after the lines decoded so far; a few KB at most."""

    def restore(self, state: bytes) -> None: ...


class Encoder(Protocol):
    """Writes events as lines of a format."""

    name: str

    def encode(self, events: Sequence[Event]) -> bytes: ...
