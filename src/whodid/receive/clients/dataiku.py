"""Dataiku's Python client: `POST /dip/publicapi/admin/audit/custom/TYPE`, its way to write a custom audit entry.

The event looks like the entry that Dataiku DSS itself would have logged and that is imported from its files: its type
is TYPE, the parameters hold `customMsgType` and `customMsgParams`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Raw

from whodid import catalogue
from whodid.errors import WhodidError
from whodid.receive.clients.base import Answer, Outcome, Request, Route, Taken, json_answer
from whodid.receive.clients.native import Fields, decoded_of, event_text, json_text

# DSS calls programs so, by the names of their keys.
_PROGRAM: Final = "api:"


def read(request: Request) -> Taken:
    """The event of a custom entry. Raises WhodidError("invalid")."""
    kind = request.names["type"]
    text = json_text(request.body).strip() or b"{}"
    try:
        told = msgspec.json.decode(text, type=Raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise WhodidError("invalid", f"The body is no JSON: {error}.", "Send the parameters as JSON.") from None
    caller = request.caller
    user = None if caller is None else caller.user or _PROGRAM + caller.name
    topic = catalogue.topic_of(kind)
    fields: Fields = {
        "type": kind,
        "topic": topic,
        "level": catalogue.level_of(kind, topic),
        "source": "server",
        "user": user,
    }
    text = event_text(fields, {"customMsgType": kind, "customMsgParams": told})
    return Taken(decoded_of([text], request.received_at))


def accepted(request: Request, outcome: Outcome) -> Answer:
    return json_answer({})


def failed(request: Request, error: WhodidError, outcome: Outcome, identifier: bytes) -> Answer:
    """An error as `DataikuException` reads it."""
    told: dict[str, Any] = {
        "errorType": f"whodid.{error.code}",
        "message": error.message,
        "detailedMessage": f"{error} (request {identifier.decode()})",
    }
    return json_answer(told, status=error.kind.status)


ROUTES: Final = (
    Route("dataiku", "POST", "/dip/publicapi/admin/audit/custom/{type*}", read, accepted=accepted, failed=failed),
)
