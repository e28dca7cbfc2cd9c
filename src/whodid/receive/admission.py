"""What of a request is to be journaled: what its key may write, what is not known already, what the policy keeps."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from whodid.event import Rejection
from whodid.formats.base import Decoded
from whodid.journal.base import Draft
from whodid.policy.gate import Compiled, Gate, Sifted
from whodid.receive.access import Caller
from whodid.receive.binding import bind
from whodid.receive.claims import Claims
from whodid.receive.recent import RecentIds
from whodid.receive.tally import Counted, tally


class Ready(NamedTuple):
    """What a request leaves for the journal and for its answer; `ids` are those of all events that are kept.

    sifted  what the policy did, where it did anything; events that are to lie apart are there and not in `payload`.
    nodes   which nodes they are of.
    """

    payload: bytes
    ids: Collection[str]
    duplicates: int
    rejects: Sequence[Rejection]
    sifted: Sifted | None = None
    nodes: Sequence[Counted] | None = None

    @property
    def filtered(self) -> int:
        """How many events the policy left out."""
        return len(self.sifted.dropped) if self.sifted is not None else 0


class Admission:
    """Decides what is kept of a request, and counts nothing.

    claims        which keys may write what destinations claim.
    counts_nodes  whether somebody wants to know which nodes the events are of.
    """

    def __init__(self, recent: RecentIds, gate: Gate, claims: Claims | None = None, *, counts_nodes: bool = False):
        self._recent = recent
        self._gate = gate
        self._claims = claims
        self._counts_nodes = counts_nodes

    def looks_at_events(self, caller: Caller) -> bool:
        """Whether what is kept of the caller's events depends on more than their ids."""
        claims = self._claims is not None and self._claims.current
        return caller.is_bound or bool(claims) or self._gate.current is not None

    def ready(self, decoded: Decoded, caller: Caller, format: str = "native") -> Ready:
        """What of a request is to be journaled; `format` is what its events came in as."""
        if caller.is_bound:
            decoded = bind(caller, decoded)
        if self._claims is not None and self._claims.current:
            decoded = self._claims.checked(caller, decoded)
        ready = self._fresh(decoded, caller, format)
        if self._counts_nodes and decoded.may_name_nodes and (counted := tally(decoded.events)) is not None:
            if ready.duplicates:
                kept = set(ready.ids)
                counted = tally([event for event in decoded.events if event.id in kept])
            ready = ready._replace(nodes=counted)
        return ready

    def _fresh(self, decoded: Decoded, caller: Caller, format: str) -> Ready:
        """What is not known already, and what the policy keeps of it."""
        ids = decoded.ids
        is_repeated = self._recent.any(ids)
        if self._gate.current is not None:
            return self._sifted(self._gate.current, decoded, caller, is_repeated, format)
        if not is_repeated:
            return Ready(decoded.payload, ids, 0, decoded.rejects)
        fresh = [event for event in decoded.events if event.id not in self._recent]
        fresh_ids = [event.id for event in fresh]
        return Ready(msgspec.json.encode(fresh), fresh_ids, len(ids) - len(fresh), decoded.rejects)

    def _sifted(self, current: Compiled, decoded: Decoded, caller: Caller, is_repeated: bool, format: str) -> Ready:
        """`ready` while there is a policy."""
        events = decoded.events
        if is_repeated:
            events = [event for event in events if event.id not in self._recent]
        duplicates = len(decoded.events) - len(events)
        sifted = self._gate.sift(current, events, caller.user, format)
        if sifted is None:
            payload = decoded.payload if not duplicates else msgspec.json.encode(events)
            return Ready(payload, [event.id for event in events], duplicates, decoded.rejects)
        ids = [event.id for event in (*sifted.kept, *sifted.anonymous)]
        return Ready(msgspec.json.encode(sifted.kept), ids, duplicates, decoded.rejects, sifted)


def draft_of(ready: Ready, caller: Caller, client: tuple[str, int] | None, received_at: datetime, format: str) -> Draft:
    """The frame of a request none of whose events is to lie apart."""
    return Draft(
        received_at=received_at,
        events=ready.payload,
        count=len(ready.ids),
        format=format,
        key_id=caller.key_id,
        orig_address=client[0] if client else None,
        rejects=ready.rejects,
    )


def drafts_of(
    ready: Ready, caller: Caller, client: tuple[str, int] | None, received_at: datetime, format: str
) -> Iterator[Draft]:
    """The frames of a request: one, and one without key and address if there are events that must not have them."""
    anonymous = ready.sifted.anonymous if ready.sifted is not None else ()
    kept = len(ready.ids) - len(anonymous)
    if kept or ready.rejects:
        draft = draft_of(ready, caller, client, received_at, format)
        draft.count = kept
        yield draft
    if anonymous:
        yield Draft(received_at=received_at, events=msgspec.json.encode(anonymous), count=len(anonymous), format=format)
