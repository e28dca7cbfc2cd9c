"""Which events a target takes, asked of the few fields that tell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from msgspec import Struct

from whodid.dispatch.row import Selection
from whodid.errors import WhodidError
from whodid.policy.pattern import is_glob, named


class Groups(Protocol):
    """What a selection asks of the directory."""

    def group_logins(self, group: str) -> Iterable[str]: ...


class Sight(Struct, kw_only=True, gc=False):
    """What a selection looks at, read without the rest of the event."""

    type: str
    level: str = "audit"
    topic: str = "generic"
    routing_key: str | None = None
    user: str | None = None
    acting_for: str | None = None


class Selector:
    """A `Selection` made ready, with the members of its groups as they are at this moment."""

    def __init__(self, selection: Selection, groups: Groups):
        self.takes_all = selection.takes_all
        self._topics = frozenset(selection.topics)
        self._routing_keys = frozenset(selection.routing_keys)
        self._levels = frozenset(selection.levels)
        self._types = frozenset(name for name in selection.types if not is_glob(name))
        self._patterns = [name for name in selection.types if is_glob(name)]
        self._by_type: dict[str, bool] = {}
        self._of_users = bool(selection.users or selection.groups)
        self._logins = frozenset([*selection.users, *_members(selection.groups, groups)])

    def takes(self, event: Sight) -> bool:
        """Whether an event is to be sent."""
        return (
            (not self._topics or event.topic in self._topics)
            and (not self._routing_keys or event.routing_key in self._routing_keys)
            and (not self._levels or event.level in self._levels)
            and self._of_type(event.type)
            and (not self._of_users or event.user in self._logins or event.acting_for in self._logins)
        )

    def _of_type(self, name: str) -> bool:
        if not self._types and not self._patterns:
            return True
        known = self._by_type.get(name)
        if known is None:
            known = name in self._types or named(self._patterns, name)
            if len(self._by_type) < 10_000:
                self._by_type[name] = known
        return known


def _members(names: Iterable[str], groups: Groups) -> Iterable[str]:
    for name in names:
        try:
            yield from groups.group_logins(name)
        except WhodidError as error:
            # A group that was deleted has no members; another trouble has to be told.
            if error.code != "not_found":
                raise
