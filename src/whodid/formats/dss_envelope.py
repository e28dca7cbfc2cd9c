"""What wraps a DSS event: read into types, and cut from around the event's own text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct, field

from whodid.formats.dss_fields import Diagnostics, Message, Usage

NOTHING: Final = Raw(b"")
_USAGE: Final = msgspec.json.Decoder(Usage)


class Log4j(Struct, gc=False):
    """Envelopes A and C: a line of a log file."""

    message: Raw = NOTHING
    timestamp: Any = None
    logger: Any = None
    topic: Any = None
    mdc: Diagnostics | None = None
    call_time: Any = field(default=None, name="callTime")


class EventServer(Struct, gc=False):
    """Envelope B: a line that an Event Server wrote."""

    message: Raw = field(default=NOTHING, name="clientEvent")
    timestamp: Any = field(default=None, name="serverTimestamp")
    logger: Any = None
    topic: Any = None
    mdc: Diagnostics | None = None
    call_time: Any = field(default=None, name="callTime")


Envelope = Log4j | EventServer
BARE: Final = Log4j()


def spliced_parameters(lines: Sequence[bytes], key: bytes, messages: Sequence[Raw]) -> list[list[bytes]] | None:
    """Each message's text with what its line says besides as one more entry `dss`, in columns of pieces.

    None if a message cannot be cut out.
    """
    heads: list[bytes] = []
    befores: list[bytes] = []
    afters: list[bytes] = []
    skip = len(key)
    for line, message in zip(lines, messages, strict=True):
        start = line.find(key)
        end = start + skip + len(message)
        head = line[start + skip : end - 1]
        before, after = line[:start], line[end + 1 :]
        if line[end : end + 1] != b",":
            if line[end:] != b"}":
                return None
            before, after = before.rstrip().removesuffix(b","), b"}"
        heads.append(head)
        befores.append(before)
        afters.append(after)
    # The key may stand elsewhere too, and the message may be empty: then the cut is not where it should be.
    whole = b"},".join(heads) == b",".join(messages)[:-1] and b"{" not in heads
    count = len(heads)
    return [heads, [b',"dss":'] * count, befores, afters, [b"}"] * count] if whole else None


def loose_message(raw: Raw) -> Message:
    """A message some of whose fields are of no kind that can be filed by: those are passed over."""
    values = msgspec.json.decode(raw, type=dict[str, Raw])
    message = Message()
    for name, json_name in zip(Message.__struct_fields__, Message.__struct_encode_fields__, strict=True):
        if json_name in values:
            setattr(message, name, _scalar(values[json_name]))
    if isinstance(message.auth_via, str) is False and "authVia" in values:
        message.auth_via = _texts(values["authVia"])
    message.compute_resource_usage = None
    if "computeResourceUsage" in values:
        message.compute_resource_usage = _usage(values["computeResourceUsage"])
    return message


def _scalar(raw: Raw) -> Any:
    try:
        value = msgspec.json.decode(raw)
    except ValueError:
        return None
    return value if isinstance(value, (str, int, float)) else None


def _texts(raw: Raw) -> tuple[str, ...] | None:
    try:
        return tuple(entry for entry in msgspec.json.decode(raw, type=list[Any]) if isinstance(entry, str))
    except ValueError:
        return None


def _usage(raw: Raw) -> Usage | None:
    try:
        usage = _USAGE.decode(raw)
    except ValueError:
        return None
    context = usage.context
    if context is not None:
        for name in context.__struct_fields__:
            if not isinstance(getattr(context, name), (str, int)):
                setattr(context, name, None)
    return usage
