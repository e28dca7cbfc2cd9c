"""What a reader of files hands over: events it has judged already, with their format and what was rejected."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from whodid.errors import WhodidError
from whodid.event import Rejection
from whodid.formats import FORMATS
from whodid.journal.base import Draft
from whodid.typed import decode


class Handed(Struct, kw_only=True):
    """What was read: the line before its events."""

    format: str
    rejects: list[Rejection] = []


def body_of(draft: Draft) -> bytes:
    """A draft as two lines of JSON."""
    return msgspec.json.encode(Handed(format=draft.format, rejects=list(draft.rejects))) + b"\n" + draft.events


def handed_of(line: bytes, hint: str) -> Handed:
    """The first line of a body; raises WhodidError("invalid") with the hint where it is none."""
    try:
        handed = decode(line, Handed)
    except msgspec.DecodeError as error:
        raise WhodidError("invalid", f"It is not told what the events were read from: {error}.", hint) from error
    if handed.format not in (*FORMATS, "native"):
        raise WhodidError("invalid", f"There is no format {handed.format[:100]!r}.", hint)
    return handed
