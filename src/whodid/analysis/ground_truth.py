"""What really happened, as events: the outcomes that predictions of API nodes are judged by.

Each outcome is an event of type `ground-truth` on topic `apinode-query`, so that it is kept, found and deduplicated
like any other. Its id comes from its content: the same outcome given again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from whodid.errors import WhodidError
from whodid.event import Entity, Event, foreign_id

TYPE: Final = "ground-truth"
TOPIC: Final = "apinode-query"
OUTCOMES_MAX: Final = 10_000
KEY_CHARS_MAX: Final = 1_000
# Fields of a query that an outcome's key may be found in, alone or with a path behind: `features.customer_id`.
FIELDS: Final = ("id", "request_id", "features", "context", "result")


class Outcome(Struct, kw_only=True, forbid_unknown_fields=True):
    """What happened to the thing with this key."""

    key: str | int | float
    outcome: str | int | float | bool


def events_of(
    service: str, outcomes: Sequence[Outcome], *, match: str, at: datetime, by: str | None
) -> Iterator[Event]:
    """The events of outcomes.

    Parameters
    ----------
    match
        The field of a query that holds the key: `id`, `request_id`, `features.NAME`, `context.NAME`, `result.NAME`.
    at
        When they became known (aware).

    Raises
    ------
    WhodidError("invalid")
        There is no such field, or a key or the service has no usable length.
    """
    if match.partition(".")[0] not in FIELDS or match in ("features", "context", "result"):
        raise WhodidError(
            "invalid",
            f"match is {match[:100]!r}, which is no field of a query.",
            "It is id, request_id, features.NAME, context.NAME or result.NAME.",
        )
    if not 1 <= len(service) <= 200:
        raise WhodidError("invalid", "service is the name of an API service: 1 to 200 characters.")
    for one in outcomes:
        key = _text(one.key)
        if not 1 <= len(key) <= KEY_CHARS_MAX:
            raise WhodidError("invalid", f"A key has {len(key):,} characters.", f"1 to {KEY_CHARS_MAX:,} are taken.")
        told: dict[str, Any] = {"serviceId": service, "match": match, "key": key, "outcome": one.outcome}
        yield Event(
            id=foreign_id(msgspec.json.encode(told).decode()),
            time=at,
            type=TYPE,
            level="info",
            topic=TOPIC,
            source="server",
            user=by,
            entities=[Entity(type="api-service", id=service, name=service)],
            parameters=msgspec.Raw(msgspec.json.encode(told)),
        )


def _text(key: str | int | float) -> str:
    """A key as it is compared: 17 and 17.0 are the same customer."""
    return key if isinstance(key, str) else f"{key:.15g}"
