"""A line of DSS audit data as the text of the native event that it is."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any, Final

from msgspec.structs import astuple

from whodid.event import EVENT_BYTES_MAX
from whodid.formats.base import Span
from whodid.formats.dss_envelope import Envelope
from whodid.formats.dss_event import (
    DATASETS,
    DATASETS_IN,
    DURATIONS,
    FUNCTIONS,
    KINDS,
    NOT_SIMPLE,
    PLACES,
    PROJECTS_ALONE,
    PROJECTS_BEHIND,
    TOPICS,
    WHO,
    entities,
    rare,
)
from whodid.formats.dss_fields import CONTEXT_PROGRAMS, SLICES, Diagnostics, Message, Usage
from whodid.formats.dss_times import from_ms, stamps
from whodid.formats.rejecting import Unreadable

_NOBODY: Final = Diagnostics()

_KIND, _LOGINS, _THINGS, _PLACE, _RARE, _UNUSUAL = map(itemgetter, SLICES)
_AUTH_VIA: Final = itemgetter(Message.__struct_fields__.index("auth_via"))
_PROJECT: Final = itemgetter(Message.__struct_fields__.index("project_key"))
_DATASET: Final = itemgetter(Message.__struct_fields__.index("dataset_name"))
_ENVELOPE_KIND: Final = attrgetter("topic", "logger")
_CALL_TIME: Final = attrgetter("call_time")
_NUMBERS: Final = (int, float)
_NOTHING_UNUSUAL: Final = _UNUSUAL(astuple(Message()))
_NOWHERE: Final = _PLACE(astuple(Message()))

_HOUR_MS: Final = 3_600_000
_VERSION: Final = bytes(0x80 | byte & 0x0F for byte in range(256))
_VARIANT: Final = bytes(0x80 | byte & 0x3F for byte in range(256))
_START: Final = b',{"id":"00000000-0000-0000-0000-000000000000","time":"'
_ID_DIGITS: Final = [place for place, byte in enumerate(_START) if byte == ord("0")]

Values = tuple[Any, ...]


def starts(at_ms: Sequence[int], digests: Sequence[bytes]) -> list[bytes]:
    """How the texts of many events begin, up to their time: with the ids of `whodid.event.content_id`."""
    count, size = len(at_ms), len(_START)
    stamps, content = struct.pack(f">{count}Q", *at_ms), b"".join(digests)
    ids = bytearray(16 * count)
    for place in range(6):
        ids[place::16] = stamps[place + 2 :: 8]
    for place in range(10):
        ids[place + 6 :: 16] = content[place::16]
    ids[6::16] = ids[6::16].translate(_VERSION)
    ids[8::16] = ids[8::16].translate(_VARIANT)
    digits, texts = ids.hex().encode(), bytearray(_START * count)
    for place, target in enumerate(_ID_DIGITS):
        texts[target::size] = digits[place::32]
    whole = bytes(texts)
    return [whole[at : at + size] for at in range(0, size * count, size)]


def elements(
    envelopes: Sequence[Envelope],
    messages: Sequence[Message],
    digests: Sequence[bytes],
    parameters: Sequence[Sequence[bytes]],
    span: Span,
) -> bytes:
    """The texts of native events, joined by commas; `span` takes them in.

    Everything is made column by column: of all events the times, of all the kinds, and so on.

    digests     XXH3-128 of each line.
    parameters  columns of pieces; those of one event together are the JSON text of an object.

    Raises
    ------
    Unreadable
        An event says no time, or none that can be read; an event's text is too large.
    TypeError
        A value that is looked up is an object or a list.
    """
    count = len(messages)
    for message in messages:
        if message.compute_resource_usage is not None:
            _take_context(message, message.compute_resource_usage)
    told = [envelope.timestamp for envelope in envelopes]
    if None in told:
        told = [_own_time(one) if at is None else at for at, one in zip(told, messages, strict=True)]
    begins, ends, at_ms = stamps(told)
    values = list(map(astuple, messages))
    kinds = list(map(KINDS.__getitem__, zip(map(_KIND, values), map(_ENVELOPE_KIND, envelopes), strict=True)))
    topics: Counter[str] = Counter()
    for kind, times in Counter(kinds).items():
        topics[TOPICS[kind]] += times
    hours = {ms // _HOUR_MS for ms in at_ms}
    span.merge(Span(topics=topics, first=from_ms(min(at_ms)), last=from_ms(max(at_ms)), hours=hours))
    who, calls, durations = _who_and_calls(envelopes, values)
    unusual = [place for place, each in enumerate(map(_UNUSUAL, values)) if each != _NOTHING_UNUSUAL]
    things = _entities(values, unusual)
    for place in unusual:
        kinds[place], calls[place] = _with_unusual(kinds[place], calls[place] + durations[place], values[place])
        durations[place] = b""
    columns = (starts(at_ms, digests), begins, ends, [b'Z",'] * count, kinds, who, calls, durations, *things)
    return _joined([*columns, [b'"parameters":'] * count, *parameters, [b"}"] * count])


def _joined(columns: Sequence[Sequence[bytes]]) -> bytes:
    text = b"".join(chain.from_iterable(zip(*columns, strict=True)))[1:]
    if (
        len(text) > EVENT_BYTES_MAX
        and max([sum(map(len, row)) for row in zip(*columns, strict=True)]) > EVENT_BYTES_MAX
    ):
        raise Unreadable("too_large", f"The event is larger than {EVENT_BYTES_MAX:,} bytes.")
    return text


def _who_and_calls(
    envelopes: Sequence[Envelope], values: Sequence[Values]
) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """Who acted; the function; its duration."""
    diagnostics = [envelope.mdc or _NOBODY for envelope in envelopes]
    users = [one.user for one in diagnostics]
    who = list(map(WHO.__getitem__, zip(map(_LOGINS, values), users, map(_AUTH_VIA, values), strict=True)))
    durations = [DURATIONS[time] if time.__class__ in _NUMBERS else b"" for time in map(_CALL_TIME, envelopes)]
    return who, [FUNCTIONS[one.api_call] for one in diagnostics], durations


def _entities(values: Sequence[Values], unusual: Sequence[int]) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """The field `entities` in three pieces; `unusual` are the places of events that say more than a dataset."""
    projects, datasets = list(map(_PROJECT, values)), list(map(_DATASET, values))
    heads = [
        PROJECTS_ALONE[project] if dataset is None else DATASETS_IN[project]
        for project, dataset in zip(projects, datasets, strict=True)
    ]
    names = list(map(DATASETS.__getitem__, datasets))
    tails = [
        b"" if dataset is None else PROJECTS_BEHIND[project]
        for project, dataset in zip(projects, datasets, strict=True)
    ]
    others = set(unusual)
    if None in projects or "" in projects:
        others.update([place for place, each in enumerate(values) if not projects[place] and _AUTH_VIA(each)])
    for pieces in (heads, names):
        if NOT_SIMPLE in pieces:
            others.update([place for place, piece in enumerate(pieces) if piece == NOT_SIMPLE])
    for place in others:
        each = values[place]
        heads[place], names[place], tails[place] = entities(_AUTH_VIA(each), projects[place], _THINGS(each)), b"", b""
    return heads, names, tails


def _with_unusual(kind: bytes, calls: bytes, values: Values) -> tuple[bytes, bytes]:
    """What few events say besides: where they happened, requests and errors."""
    where = _PLACE(values)
    if where != _NOWHERE:
        kind, calls = _with_place(kind, calls, PLACES[where])
    return kind, calls + rare(_RARE(values))


def _with_place(kind: bytes, tail: bytes, place: bytes) -> tuple[bytes, bytes]:
    # What the event says itself comes before what is concluded from its type or from its call.
    if b'"status":' in place:
        kind = kind.partition(b'"status":')[0]
    if b'"function":' in place and tail.startswith(b'"function":'):
        tail = tail[tail.index(b'"duration_ms":') :] if b'"duration_ms":' in tail else b""
    return kind, place + tail


def _own_time(message: Message) -> Any:
    usage = message.compute_resource_usage
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
