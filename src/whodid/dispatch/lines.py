"""The lines that leave: an event as JSON in the form that a target is set to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import msgspec

from whodid import formats
from whodid.event import Provenance
from whodid.plugins import Plugin, load
from whodid.targets.base import Offered

Encode = Callable[[Sequence[Offered]], list[bytes]]

# Forms by mapping tables: `module:name` of an `Encode`.
MAPPED: Final[dict[str, Plugin]] = {
    "ocsf": Plugin("whodid.dispatch.mapped.ocsf:encode"),
    "cloudevents": Plugin("whodid.dispatch.mapped.cloudevents:encode"),
}


def told(provenance: Provenance) -> bytes:
    """What the receiver knew, as the end of a native line but for the number."""
    known = {"received_at": provenance.received_at, "receiver": provenance.receiver, "format": provenance.format}
    for name in ("key_id", "orig_address"):
        if (value := getattr(provenance, name)) is not None:
            known[name] = value
    return b"," + msgspec.json.encode(known)[1:-1] + b',"seq":'


def native(batch: Sequence[Offered]) -> list[bytes]:
    """The event's fields, and behind them `received_at`, `receiver`, `format`, `key_id`, `orig_address`, `seq`."""
    return [msgspec.json.encode(event)[:-1] + told(provenance) + b"%d}" % seq for seq, event, provenance in batch]


def _dss(name: str, batch: Sequence[Offered]) -> list[bytes]:
    events, came_as = [offered.event for offered in batch], [offered.provenance.format for offered in batch]
    lines = formats.encoder(name).encode(events, came_as).splitlines()
    if name != "dss-event-server":
        return lines
    # The encoder knows the event alone; where it came from stands in what the receiver knew.
    return [
        line.replace(b',"origAddress":"",', b',"origAddress":%b,' % msgspec.json.encode(address), 1)
        if (address := offered.provenance.orig_address)
        else line
        for line, offered in zip(lines, batch, strict=True)
    ]


_OWN: Final[dict[str, Encode]] = {
    "native": native,
    "dss-log4j": partial(_dss, "dss-log4j"),
    "dss-event-server": partial(_dss, "dss-event-server"),
}
FORMATS: Final = (*_OWN, *MAPPED)


def encode_of(name: str) -> Encode:
    """What writes the lines of a format.

    Raises
    ------
    WhodidError("invalid")
        There is no such format.
    """
    if name in _OWN:
        return _OWN[name]
    found: Encode = load(MAPPED, name)
    return found
