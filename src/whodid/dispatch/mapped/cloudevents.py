"""Events as CloudEvents 1.0 in JSON: the context attributes that routers look at, and the native event as data.

Source: CloudEvents specification 1.0.2.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Raw

from whodid.dispatch.lines import native
from whodid.targets.base import Offered

TYPE_PREFIX: Final = "whodid."
_SUBJECT_LENGTH_MAX: Final = 1_000
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def encode(batch: Sequence[Offered]) -> list[bytes]:
    """The lines of events, in their order."""
    return [
        msgspec.json.encode({**_context(offered), "data": Raw(line)})
        for offered, line in zip(batch, native(batch), strict=True)
    ]


def _context(offered: Offered) -> dict[str, Any]:
    seq, event, provenance = offered
    told = {
        "specversion": "1.0",
        "id": event.id,
        "source": f"/whodid/{quote(event.node or provenance.receiver, safe='')}",
        "type": TYPE_PREFIX + _CONTROL.sub(" ", event.type),
        "time": event.time,
        "datacontenttype": "application/json",
        "topic": _CONTROL.sub(" ", event.topic),
        "sequence": f"{seq:020d}",
    }
    if event.entities:
        first = event.entities[0]
        told["subject"] = _CONTROL.sub(" ", f"{first.type}/{first.id}")[:_SUBJECT_LENGTH_MAX]
    if event.user:
        told["user"] = _CONTROL.sub(" ", event.user)
    return told
