"""Formats: bytes in, events out, and back; one file each, found by name or by looking at the first lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from whodid.errors import WhodidError
from whodid.formats.base import Decoder, Encoder
from whodid.formats.dss import DssDecoder
from whodid.formats.dss_encode import DssEncoder
from whodid.formats.native import NativeDecoder, NativeEncoder
from whodid.formats.sniffing import shape_of


class Format(NamedTuple):
    """A format: how it is read, how it is written (None: it is only read), and what it is."""

    decoder: Callable[[], Decoder]
    encoder: Callable[[], Encoder] | None
    help: str


FORMATS: Final[dict[str, Format]] = {
    "native": Format(NativeDecoder, NativeEncoder, "events as whodid speaks them, one JSON object a line"),
    "dss-log4j": Format(
        lambda: DssDecoder("dss-log4j"), lambda: DssEncoder("dss-log4j"), "Dataiku DSS audit.log (log4j)"
    ),
    "dss-event-server": Format(
        lambda: DssDecoder("dss-event-server"),
        lambda: DssEncoder("dss-event-server"),
        "files of a Dataiku DSS Event Server",
    ),
    "dss-apinode": Format(lambda: DssDecoder("dss-apinode"), None, "queries.log of a Dataiku DSS API node"),
    "dss-bare": Format(lambda: DssDecoder("dss-bare"), None, "Dataiku DSS events without an envelope"),
}


def sniff(head: bytes, filename: str | None = None) -> str:
    """The name of the format that the first lines of a file look like.

    head      the first bytes, decompressed, with one whole line that tells. The last line may be cut.
    filename  helps where the lines tell nothing.

    Raises
    ------
    WhodidError("invalid")
        They look like none.
    """
    found = shape_of(head, filename)
    if found is None:
        raise WhodidError(
            "invalid",
            f"{filename or 'The input'} looks like no format that is known here.",
            f"Name it with --format: {', '.join(FORMATS)}.",
        )
    return found


def decoder(name: str) -> Decoder:
    """A new decoder, for one file or stream.

    Raises
    ------
    WhodidError("invalid")
        There is no such format.
    """
    return _format(name).decoder()


def encoder(name: str) -> Encoder:
    """A new encoder.

    Raises
    ------
    WhodidError("invalid")
        There is no such format, or it is only read.
    """
    make = _format(name).encoder
    if make is None:
        writable = ", ".join(known for known, row in FORMATS.items() if row.encoder is not None)
        raise WhodidError("invalid", f"The format {name} is only read here.", f"These are written: {writable}.")
    return make()


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise WhodidError("invalid", f"There is no format {name!r}.", f"Known: {', '.join(FORMATS)}.")
    return FORMATS[name]
