"""A capture: for a while, what the policy leaves out of a subject's events is kept after all."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from whodid.event import Event
from whodid.formats.dss_words import is_dss_message, rewrite_words
from whodid.policy.pattern import named

SPAN_MAX: Final = timedelta(days=7)
EVENTS_DEFAULT: Final = 10_000
EVENTS_MAX: Final = 10_000_000
MARK: Final = "capture"

# Parameters that tell who or from where, by the names that clients and readers of formats give them.
_NAMES: Final = (
    "user user_id userId userid username user_name login email user_email mail full_name anonymous_id anonymousId "
    "distinct_id $user_id $ip ip ip_address ipAddress client_ip client.address orig_address remote_addr "
    "session session_id sessionId $session_id foreign_session origin authUser realUser authorization cookie user_agent "
    "userAgent device_id $device_id"
)
IDENTIFYING: Final = frozenset(_NAMES.split())
_TAKEN_OUT: Final = ("user", "acting_for", "session", "request_id", "routing_key", "via")
_WORDS_TAKEN_OUT: Final = dict.fromkeys((*_TAKEN_OUT, "orig_address"))

_RAWS: Final = msgspec.json.Decoder(dict[str, Raw])


class Capture(Struct, kw_only=True, frozen=True):
    """A capture. Without `user` and `group` it is of everyone; `group` is an id.

    types, entities, topics  what is captured: all that are given have to fit; entities are `type:id`; `*` stands for
                             anything.
    anonymous                what the policy would have left out is kept without user, session and address.
    ended_why                "time", "events" or "stopped"; None while it runs.
    events                   how many events it had captured when it ended.
    """

    id: str
    name: str
    number: int
    reason: str
    started_at: datetime
    ends_at: datetime
    events_max: int = EVENTS_DEFAULT
    user: str | None = None
    group: str | None = None
    types: list[str] = []
    entities: list[str] = []
    topics: list[str] = []
    anonymous: bool = False
    started_by: str | None = None
    ended_at: datetime | None = None
    ended_by: str | None = None
    ended_why: str | None = None
    events: int = 0

    @property
    def is_running(self) -> bool:
        return self.ended_at is None

    def wants(self, event: Event) -> bool:
        """Whether an event of its subject is in its scope."""
        if self.types and not named(self.types, event.type):
            return False
        if self.topics and not named(self.topics, event.topic):
            return False
        return not self.entities or any(named(self.entities, f"{each.type}:{each.id}") for each in event.entities)


def mark(event: Event, capture: Capture) -> None:
    """Write into an event's parameters which capture it belongs to."""
    found = _RAWS.decode(event.parameters)
    place = MARK if MARK not in found else f"event.{MARK}"
    found[place] = Raw(msgspec.json.encode(capture.name))
    event.parameters = Raw(msgspec.json.encode(found))


def make_anonymous(event: Event, format: str = "native") -> None:
    """Take out of an event who it was: user, session and request, and what its texts and parameters say of them.

    Parameters go by their names (`IDENTIFYING`) and by their values, and in events that came in from DSS wherever its
    message says who and from where; entities that are the user go too.
    """
    known = {text for text in (event.user, event.acting_for, event.session, event.request_id) if text}
    parameters = _RAWS.decode(event.parameters)
    if is_dss_message(event.parameters, format):
        rewrite_words(parameters, _WORDS_TAKEN_OUT)
    event.parameters = Raw(msgspec.json.encode(_unnamed(parameters, known)))
    event.entities = [each for each in event.entities if not ({each.id, each.name} & known or each.type == "user")]
    if event.description is not None:
        for text in sorted(known, key=len, reverse=True):
            event.description = event.description.replace(text, "…")
    for name in _TAKEN_OUT:
        setattr(event, name, None)


def _unnamed(parameters: dict[str, Raw], known: set[str]) -> dict[str, Raw]:
    return {name: raw for name, raw in parameters.items() if name not in IDENTIFYING and not _mentions(raw, known)}


def _mentions(raw: Raw, known: set[str]) -> bool:
    """Whether a value is, or holds anywhere, one of the known texts as a whole."""

    def within(value: Any) -> bool:
        if isinstance(value, str):
            return value in known
        if isinstance(value, dict):
            return any(map(within, value.values())) or bool(value.keys() & IDENTIFYING)
        return isinstance(value, list) and any(map(within, value))

    return within(msgspec.json.decode(raw))
