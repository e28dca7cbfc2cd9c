"""A line of DSS audit data as the text of the native event that it is."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct, field
from msgspec.structs import astuple

from whodid.formats.base import Span
from whodid.formats.dss_event import FUNCTIONS, KINDS, PLACES, TOPICS, WHO, entities, from_ms, rare, utc_and_ms
from whodid.formats.dss_fields import CONTEXT_PROGRAMS, SLICES, Diagnostics, Message, Usage
from whodid.formats.rejecting import Unreadable

NOTHING: Final = Raw(b"")


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

_THINGS, _PLACE, _RARE, _WHO = SLICES
_WHERE: Final = slice(_PLACE.start, _RARE.stop)
_NO_THINGS: Final = astuple(Message())[_THINGS]
_NOWHERE: Final = astuple(Message())[_WHERE]

_DURATION_MS_MAX: Final = 10**15
_VERSION: Final = bytes(0x80 | byte & 0x0F for byte in range(256))
_VARIANT: Final = bytes(0x80 | byte & 0x3F for byte in range(256))
_GROUPS: Final = struct.Struct("8s4s4s4s12s")


def line_ids(at_ms: Sequence[int], digests: Sequence[bytes]) -> Iterator[tuple[bytes, ...]]:
    """The five groups of `whodid.event.content_id` for many lines at once."""
    count = len(at_ms)
    stamps, content = struct.pack(f">{count}Q", *at_ms), b"".join(digests)
    ids = bytearray(16 * count)
    for place in range(6):
        ids[place::16] = stamps[place + 2 :: 8]
    for place in range(10):
        ids[place + 6 :: 16] = content[place::16]
    ids[6::16] = ids[6::16].translate(_VERSION)
    ids[8::16] = ids[8::16].translate(_VARIANT)
    return _GROUPS.iter_unpack(ids.hex().encode())


def elements(
    envelopes: Sequence[Envelope],
    messages: Sequence[Message],
    digests: Sequence[bytes],
    parameters: Sequence[bytes],
    span: Span,
) -> list[bytes]:
    """The texts of native events; `span` takes them in.

    digests     XXH3-128 of each line.
    parameters  JSON text of an object each.

    Raises
    ------
    Unreadable
        An event says no time, or none that can be read.
    TypeError
        A value that is looked up is an object or a list.
    """
    at_ms: list[int] = []
    kinds: list[bytes] = []
    heads = [_head(envelope, message, at_ms, kinds) for envelope, message in zip(envelopes, messages, strict=True)]
    texts = [
        b'{"id":"%b-%b-%b-%b-%b",%b"parameters":%b}' % (*groups, head, text)
        for groups, head, text in zip(line_ids(at_ms, digests), heads, parameters, strict=True)
    ]
    span.add(map(TOPICS.__getitem__, kinds), from_ms(min(at_ms)), from_ms(max(at_ms)))
    return texts


def _head(envelope: Envelope, message: Message, at_ms: list[int], kinds: list[bytes]) -> bytes:
    """All fields but the id and the parameters; appends the time and what kind of event it is."""
    usage = message.compute_resource_usage
    if usage is not None:
        _take_context(message, usage)
    told = envelope.timestamp
    time, ms = utc_and_ms(_own_time(message, usage) if told is None else told)
    at_ms.append(ms)
    values = astuple(message)
    login, user, auth_user, custom_type, message_type, topic = values[_WHO]
    kind = KINDS[custom_type, message_type, topic, envelope.topic, envelope.logger]
    kinds.append(kind)
    mdc = envelope.mdc
    auth_via, project = values[0], values[1]
    things = values[_THINGS]
    tail = b""
    if mdc is None:
        who = WHO[login, user, auth_user, None, auth_via]
    else:
        who = WHO[login, user, auth_user, mdc.user, auth_via]
        tail = FUNCTIONS[mdc.api_call]
    call_time = envelope.call_time
    if call_time.__class__ is int and 0 <= call_time < _DURATION_MS_MAX:
        tail += b'"duration_ms":%d,' % call_time
    if values[_WHERE] != _NOWHERE:
        kind, tail = _with_place(kind, tail, PLACES[values[_PLACE]])
        tail += rare(values[_RARE])
    if project is not None or auth_via is not None or things != _NO_THINGS:
        tail += entities(auth_via, project, things)
    return b'"time":"%b",%b%b%b' % (time.encode(), kind, who, tail)


def _with_place(kind: bytes, tail: bytes, place: bytes) -> tuple[bytes, bytes]:
    # What the event says itself comes before what is concluded from its type or from its call.
    if b'"status":' in place:
        kind = kind.partition(b'"status":')[0]
    if b'"function":' in place and tail.startswith(b'"function":'):
        tail = tail[tail.index(b'"duration_ms":') :] if b'"duration_ms":' in tail else b""
    return kind, place + tail


def spliced_parameters(lines: Sequence[bytes], key: bytes, messages: Sequence[Raw]) -> list[bytes] | None:
    """Each message's text with what its line says besides as one more entry `dss`; None if one cannot be cut out."""
    heads: list[bytes] = []
    made: list[bytes] = []
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
        made.append(b'%b,"dss":%b%b}' % (head, before, after))
    # The key may stand elsewhere too, and the message may be empty: then the cut is not where it should be.
    whole = b"},".join(heads) == b",".join(messages)[:-1] and b"{" not in heads
    return made if whole else None


def _own_time(message: Message, usage: Usage | None) -> Any:
    own = (message.timestamp, message.time, message.event_time)
    computed = (usage.end_time, usage.start_time) if usage is not None else ()
    for told in own + computed:
        if told is not None:
            return told
    raise Unreadable("bad_time", "The line says no time.")


def _take_context(message: Message, usage: Usage) -> None:
    context = usage.context
    if context is None:
        return
    project = message.project_key = message.project_key or context.project_key
    message.auth_user = message.auth_user or context.auth_identifier
    message.webapp_id = message.webapp_id or context.webapp_id
    message.scenario_id = message.scenario_id or context.scenario_id
    message.notebook_name = message.notebook_name or context.notebook_name
    message.job_id = message.job_id or context.job_id
    if not message.auth_via and isinstance(project, str):
        programs = ((getattr(context, name), entry) for name, entry in CONTEXT_PROGRAMS)
        message.auth_via = next((entry.format(project, name) for name, entry in programs if name), None)


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
        usage = msgspec.json.decode(raw, type=Usage)
    except ValueError:
        return None
    context = usage.context
    if context is not None:
        for name in context.__struct_fields__:
            if not isinstance(getattr(context, name), (str, int)):
                setattr(context, name, None)
    return usage
