"""Events as lines of Dataiku DSS audit files, as their readers expect them.

Readers work on the text, too: compact JSON, `"msgType":"…"`, offsets like `+0000`. An event that came from DSS is
written with the message and the envelope it came with; of any other event the message is its fields in DSS's words
and its parameters. What a sender gave as a parameter says nothing about who did what: one that has the name of such a
word and another value is written as `parameter.NAME`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from itertools import chain, repeat
from typing import Any, Final

import msgspec
from msgspec import Raw

from whodid.event import Event
from whodid.formats.dss_actor import auth_via_entry
from whodid.formats.dss_fields import ENTITY_FIELDS

_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])
_LOGGER: Final = "dku.audit."
_SEVERITIES: Final = {"error": "ERROR", "warning": "WARN", "debug": "DEBUG"}
# What tells who did what, and where; it is said by the event's fields alone.
_WORDS: Final = (
    ("msgType", "customMsgType", "auditTopic", "routingKey"),
    ("login", "user", "authUser", "authVia", "authSource"),
    ("dssNodeId", "nodeType"),
)
_ENTITY_NAMES: Final = {
    row.entity_type: "".join(word.title() if number else word for number, word in enumerate(row.field.split("_")))
    for row in reversed(ENTITY_FIELDS)
} | {"project": "projectKey", "job": "jobId"}


class DssEncoder:
    """Writes envelope A (`dss-log4j`) or B (`dss-event-server`), one event a line."""

    def __init__(self, name: str):
        self.name = name
        self._wrap = {"dss-log4j": _log4j, "dss-event-server": _event_server}[name]

    def encode(self, events: Sequence[Event], formats: Sequence[str] = ()) -> bytes:
        """Lines of events that came in in `formats`; those of which that is not said came as events of whodid."""
        told = zip(events, chain(formats, repeat("native")), strict=False)
        return b"".join([_compact(self._wrap(event, format)) + b"\n" for event, format in told])


def _compact(line: dict[str, Any]) -> bytes:
    # What is written as it came in may hold blanks.
    return msgspec.json.format(msgspec.json.encode(line), indent=-1)


def _log4j(event: Event, format: str) -> dict[str, Any]:
    message, told = _message_and_envelope(event, format)
    api_call = None if event.function is None else msgspec.json.encode(event.function)
    who = {"apiCall": Raw(api_call) if api_call else None, "user": event.user}
    envelope: dict[str, Any] = {
        "severity": told.get("severity", _SEVERITIES.get(event.level, "INFO")),
        "logger": told.get("logger", _LOGGER + event.topic),
        "topic": told.get("topic", event.topic),
        "message": message,
        "mdc": told.get("mdc", {name: value for name, value in who.items() if value is not None}),
    }
    if "callTime" in told:
        envelope["callTime"] = told["callTime"]
    elif event.duration_ms is not None and not told:
        envelope["callTime"] = round(event.duration_ms)
    envelope |= {name: value for name, value in told.items() if name not in envelope and name != "timestamp"}
    envelope["timestamp"] = _time(event)
    return envelope


def _event_server(event: Event, format: str) -> dict[str, Any]:
    message, told = _message_and_envelope(event, format)
    message["auditTopic"] = event.topic
    envelope: dict[str, Any] = {"clientEvent": message, "origAddress": told.get("origAddress", "")}
    known = ("origAddress", "serverTimestamp", "timestamp", "logger", "topic", "severity")
    envelope |= {name: value for name, value in told.items() if name not in known}
    envelope["serverTimestamp"] = _time(event)
    return envelope


def _time(event: Event) -> str:
    return event.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{event.time.microsecond // 1000:03d}+0000"


def _message_and_envelope(event: Event, format: str) -> tuple[dict[str, Any], dict[str, Any]]:
    parameters: dict[str, Any] = dict(_FIELDS.decode(event.parameters))
    if not format.startswith("dss-"):
        return _with_parameters(_in_their_words(event), parameters), {}
    for name in ("event.dss", "dss"):
        raw = parameters.get(name)
        if raw is not None and bytes(raw).startswith(b"{"):
            del parameters[name]
            return parameters, dict(_FIELDS.decode(raw))
    return parameters, {}


def _with_parameters(message: dict[str, Any], parameters: dict[str, Raw]) -> dict[str, Any]:
    """A message of an event's own words, and its parameters beside them."""
    known = dict.fromkeys(chain(*_WORDS)) | message | {"customMsgType": message["msgType"]}
    for name, value in parameters.items():
        says_so = name not in known or bytes(value) == msgspec.json.encode(known[name])
        message[name if says_so else f"parameter.{name}"] = value
    return message


def _in_their_words(event: Event) -> dict[str, Any]:
    """The fields of an event that did not come from DSS."""
    message: dict[str, Any] = {
        "msgType": event.type,
        "auditTopic": event.topic,
        "authUser": event.user,
        "authVia": [auth_via_entry(event.via, event.acting_for)] if event.via else None,
        "authSource": "USER_FROM_UI" if event.user and event.source == "client" and not event.via else None,
        "dssNodeId": event.node,
        "nodeType": event.node_type,
        "routingKey": event.routing_key,
        "sessionId": event.session,
        "requestId": event.request_id,
        "status": event.status,
        "description": event.description,
        "callPath": event.function,
        "errorMessage": event.error_message,
        "errorStackTrace": event.error_stack_trace,
        "eventId": event.id,
    }
    for entity in event.entities:
        message.setdefault(_ENTITY_NAMES.get(entity.type, f"{entity.type}Id"), entity.id)
    if event.entities:
        message["entities"] = event.entities
    return {name: value for name, value in message.items() if value is not None}
