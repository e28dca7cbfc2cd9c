"""Claims: destinations that name the keys which may write what they take, so that one service cannot forge the events
of another.

A target with `keys` claims its topics and routing keys. An event of these that came in with another key, or with none,
is rejected at every door. The owner of the data folder may write anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from whodid.directory import Directory
from whodid.event import Event
from whodid.formats.base import Decoded
from whodid.receive.access import Caller
from whodid.receive.binding import without

PREFIX: Final = "target/"


class Claim(NamedTuple):
    """What a destination takes (empty: any topic, any routing key), and the names of keys that may write it."""

    destination: str
    topics: frozenset[str]
    routing_keys: frozenset[str]
    keys: frozenset[str]

    def is_on(self, event: Event) -> bool:
        return (not self.topics or event.topic in self.topics) and (
            not self.routing_keys or event.routing_key in self.routing_keys
        )


class Claims:
    """The claims that count now: read once when settings change, a look at an attribute otherwise."""

    def __init__(self, directory: Directory):
        self._directory = directory
        self._seen: object = None
        self._claims: tuple[Claim, ...] = ()

    @property
    def current(self) -> tuple[Claim, ...]:
        snapshot = self._directory.snapshot
        if snapshot is not self._seen:
            self._claims = tuple(_claims_of(snapshot.settings))
            self._seen = snapshot
        return self._claims

    def checked(self, caller: Caller, decoded: Decoded) -> Decoded:
        """What of `decoded` the caller may write; the rest is rejected as `forbidden`."""
        claims = self.current
        if not claims or (caller.key_id is None and caller.user is None and "admin" in caller.scopes):
            return decoded
        name = caller.name if caller.key_id is not None else None
        refusing = [claim for claim in claims if name not in claim.keys]
        return without(decoded, lambda event: _why_not(refusing, event, name)) if refusing else decoded


def _why_not(refusing: list[Claim], event: Event, name: str | None) -> str | None:
    claim = next((claim for claim in refusing if claim.is_on(event)), None)
    if claim is None:
        return None
    who = f"the key {name!r}" if name is not None else "whoever has no key"
    routed = f", routing key {event.routing_key!r}" if claim.routing_keys else ""
    return f"The destination {claim.destination!r} does not take events of topic {event.topic!r}{routed} from {who}."


def _claims_of(settings: Mapping[str, Any]) -> list[Claim]:
    return [
        Claim(
            name.removeprefix(PREFIX),
            frozenset(value.get("selection", {}).get("topics", ())),
            frozenset(value.get("selection", {}).get("routing_keys", ())),
            frozenset(value["keys"]),
        )
        for name, value in settings.items()
        if name.startswith(PREFIX) and value.get("keys")
    ]
