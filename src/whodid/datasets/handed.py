"""What a reader of files hands over: events it has judged already, with their format and what was rejected."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from whodid.event import Rejection
from whodid.journal.base import Draft


class Handed(Struct, kw_only=True):
    """What was read: the line before its events."""

    format: str
    rejects: list[Rejection] = []


def body_of(draft: Draft) -> bytes:
    """A draft as two lines of JSON."""
    return msgspec.json.encode(Handed(format=draft.format, rejects=list(draft.rejects))) + b"\n" + draft.events
