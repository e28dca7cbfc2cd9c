"""Where a DSS message says what the fields of its event say: who hides a field hides these words too.

A message is the parameters of its event, with the envelope as their `dss` (see `dss`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Raw

from whodid.formats.dss_actor import program, with_login
from whodid.formats.dss_event import session_of
from whodid.formats.dss_fields import CONTEXT_PROGRAMS, ENTITY_FIELDS

Change = Callable[[Any], Any]
"""What becomes of a value; where a change may be None, that takes the value out."""
Rewrite = Callable[[Any, Change | None], Any]

_MARK: Final = re.compile(rb'"msgType"')
_GONE: Final = object()
_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])


class Word(NamedTuple):
    """A place in a message, and how what stands there is changed."""

    path: tuple[str, ...]
    rewrite: Rewrite


def is_dss_message(parameters: Raw, format: str) -> bool:
    """Whether parameters of an event that came in in `format` are a DSS message.

    Another whodid, and an import by a key that is bound, hand them on in the native format.
    """
    return format.startswith("dss-") or (format == "native" and _MARK.search(parameters) is not None)


def names_of(field: str) -> frozenset[str]:
    """The names at the top of a message that say what a field says."""
    return frozenset(word.path[0] for word in WORDS[field] if len(word.path) == 1)


def rewrite_words(
    message: dict[str, Raw], changes: Mapping[str, Change | None], *, below_top: bool = False
) -> dict[str, Change | None]:
    """Change in a message the words for some fields of its event.

    changes    by field; a word becomes what the field's value becomes.
    below_top  only the words that have no name at the top of the message.
    Returns    the names at the top whose values were changed or taken out, and how.
    """
    found: dict[str, Change | None] = {}
    for field, change in changes.items():
        for word in WORDS.get(field, ()):
            is_named = len(word.path) == 1 and word.path != _AUTH_VIA
            if not (below_top and is_named) and _is_rewritten(message, word.path, word.rewrite, change) and is_named:
                found[word.path[0]] = change
    return found


def _is_rewritten(values: dict[str, Raw], path: tuple[str, ...], rewrite: Rewrite, change: Change | None) -> bool:
    name, *rest = path
    if name not in values:
        return False
    if rest:
        try:
            inner = _OBJECT.decode(values[name])
        except msgspec.DecodeError:
            return False
        if not _is_rewritten(inner, tuple(rest), rewrite, change):
            return False
        values[name] = Raw(msgspec.json.encode(inner))
        return True
    changed = rewrite(msgspec.json.decode(values[name]), change)
    if changed is _GONE:
        del values[name]
    else:
        values[name] = Raw(msgspec.json.encode(changed))
    return True


def _whole(value: Any, change: Change | None) -> Any:
    if change is None:
        return _GONE
    return value if value is None else change(_text(value))


def _text(value: Any) -> Any:
    # Fields are texts, also where a message has a number.
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _addresses(value: Any, change: Change | None) -> Any:
    if change is None or not isinstance(value, str):
        return _whole(value, change)
    return ", ".join(change(address.strip()) for address in value.split(","))


def _session(value: Any, change: Change | None) -> Any:
    text = _text(value)
    return change(session_of(text)) if change is not None and isinstance(text, str) else _whole(value, change)


def _each(auth_via: Any, change: Change) -> Any:
    if isinstance(auth_via, list):
        return [change(entry) if isinstance(entry, str) else entry for entry in auth_via]
    return change(auth_via) if isinstance(auth_via, str) else auth_via


def _programs(value: Any, change: Change | None) -> Any:
    if change is None:
        return _GONE
    return _each(value, lambda entry: change(found.via if (found := program(entry)) else entry))


def _logins_of_programs(value: Any, change: Change | None) -> Any:
    return _each(value, lambda entry: with_login(entry, change))


def _out(value: Any, change: Change | None) -> Any:
    return _GONE


def _name(field: str) -> str:
    """The name in JSON: `dataset_name` is `datasetName`."""
    first, *others = field.split("_")
    return first + "".join(map(str.title, others))


def _top(*names: str, rewrite: Rewrite = _whole) -> tuple[Word, ...]:
    return tuple(Word((name,), rewrite) for name in names)


def _in_envelope(*path: str, rewrite: Rewrite = _whole) -> tuple[Word, ...]:
    return (Word(("dss", *path), rewrite), Word(("event.dss", *path), rewrite))


def _in_context(*names: str) -> tuple[Word, ...]:
    return tuple(Word(("computeResourceUsage", "context", name), _whole) for name in names)


_AUTH_VIA: Final = ("authVia",)

WORDS: Final[Mapping[str, tuple[Word, ...]]] = {
    "user": (*_top("login", "user", "authUser"), *_in_envelope("mdc", "user"), *_in_context("authIdentifier")),
    "acting_for": (Word(_AUTH_VIA, _logins_of_programs),),
    "via": (Word(_AUTH_VIA, _programs),),
    "orig_address": (
        *_top("clientIP", "originalIP", "xForwardedFor", rewrite=_addresses),
        *_in_envelope("origAddress", rewrite=_addresses),
    ),
    "session": _top("sessionId", rewrite=_session),
    "request_id": _top("requestId"),
    "routing_key": _top("routingKey"),
    "node": _top("dssNodeId", "dssNodeName"),
    "node_type": _top("nodeType"),
    # A logger is named after its topic; it is made anew where lines of DSS are written.
    "topic": (*_top("auditTopic"), *_in_envelope("topic"), *_in_envelope("logger", rewrite=_out)),
    "level": _in_envelope("severity"),
    "status": _top("status", "outcome"),
    "function": (*_top("endpointId"), *_in_envelope("mdc", "apiCall")),
    "duration_ms": _in_envelope("callTime"),
    "error_message": _top("errorMessage", "error"),
    "error_stack_trace": _top("errorStackTrace", "stackTrace"),
    "entities": (
        *_top(*(_name(row.field) for row in ENTITY_FIELDS), "projectKey", "jobId"),
        *_in_context("projectKey", *(_name(field) for field, _ in CONTEXT_PROGRAMS)),
    ),
}
"""By field of an event where a message says it."""
