"""How topic and store stand, looked at every second: what waits, and why nothing may be taken for the moment."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from msgspec import Struct

from whodid.amounts import counted
from whodid.errors import WhodidError
from whodid.journal.kafka_topic import Identity, Standing, Topic, identity_of

# So long no look may come to anything before senders are told at once.
AWAY_S_MAX: Final = 5.0
RETRY_AFTER_S: Final = 2
# What a record takes, as long as none was sent from here.
RECORD_BYTES_USUAL: Final = 1_000


class PartitionStatus(Struct, kw_only=True):
    """How a partition stands. `lag` is records that are not stored, `lag_seconds` for how long their number only grew;
    `here` whether this server stores it."""

    partition: int
    stored: int
    end: int
    lag: int
    lag_seconds: float
    in_sync: int
    replicas: int
    here: bool


class Watch:
    """What is known of the topic, and of how far the store is.

    min_insync         brokers that a partition needs.
    backlog_bytes_max  of records, as far as can be told, that may wait for the store.
    """

    def __init__(self, topic: Topic, standing: Standing, *, min_insync: int, backlog_bytes_max: int):
        self.refusal: WhodidError | None = None
        self.backlog_bytes = 0
        self._topic = topic
        self._standing = standing
        self._min_insync = min_insync
        self._backlog_bytes_max = backlog_bytes_max
        self._positions: Mapping[str, int] = {}
        self._seen_at_s = time.monotonic()
        self._since: dict[int, tuple[int, float]] = {}
        """By partition where the store was when it last moved, or nothing waited, and when (monotonic)."""

    @property
    def identity(self) -> Identity:
        return self._standing.identity

    @property
    def numbers(self) -> Collection[int]:
        """The partitions."""
        return self._standing.ends.keys()

    def recognise(self, positions: Mapping[str, int], accept: str) -> bool:
        """Whether a store with these positions remembers the topic already. Raises as `Shared.recognise`."""
        mine = self.identity
        known = [one for name in positions if (one := identity_of(name)) is not None]
        if mine in known:
            return True
        others = [one for one in known if one.cluster != mine.cluster or one.topic == mine.topic]
        if others and accept not in (mine.cluster, mine.topic_id):
            raise WhodidError(
                "conflict",
                f"These brokers have {mine}, but the store has positions of {others[-1]}.",
                "Name the right brokers in the journal's URL. If the events were moved on purpose, add accept="
                f"{mine.topic_id}: all that is in the topic is read, and what the store has already changes nothing.",
            )
        return False

    def look(self, positions: Mapping[str, int], record_bytes: float, heard_at_s: float) -> None:
        """Ask the brokers how the topic stands.

        positions     of the store, by stream.
        record_bytes  what a record takes; 0 when none was sent.
        heard_at_s    when a record was acknowledged last (monotonic): brokers that do that are not away.
        """
        self._positions = positions
        try:
            standing = self._topic.standing()
        except WhodidError as error:
            if time.monotonic() - max(self._seen_at_s, heard_at_s) > AWAY_S_MAX:
                self.refusal = WhodidError("busy", error.message, error.hint, retry_after_s=RETRY_AFTER_S)
            return
        self._seen_at_s = time.monotonic()
        problem = self._replaced(standing)
        if problem is None:
            self._standing = standing
            self.backlog_bytes = int(self._measured() * (record_bytes or RECORD_BYTES_USUAL))
            problem = self._full()
        self.refusal = problem

    def partitions(self, here: Collection[int] = ()) -> Iterator[PartitionStatus]:
        """How each partition stands; `here` are those that this server stores."""
        now_s = time.monotonic()
        for number, end in sorted(self._standing.ends.items()):
            stored = self._stored(number)
            lag = max(0, end - stored)
            yield PartitionStatus(
                partition=number,
                stored=stored,
                end=end,
                lag=lag,
                lag_seconds=now_s - self._since.get(number, (0, now_s))[1] if lag else 0.0,
                in_sync=self._standing.in_sync[number],
                replicas=self._standing.replicas[number],
                here=number in here,
            )

    def short(self) -> Iterator[str]:
        """Partitions that have too few brokers at this moment."""
        for number, in_sync in sorted(self._standing.in_sync.items()):
            if in_sync < self._min_insync:
                yield f"Partition {number} has {counted(in_sync, 'broker')} in sync; {self._min_insync} are asked."

    def _stored(self, number: int) -> int:
        return self._positions.get(self.identity.stream(number), 0)

    def _measured(self) -> int:
        """How many records wait for the store; notes since when it has not moved."""
        lag = 0
        for number, end in self._standing.ends.items():
            stored = self._stored(number)
            lag += max(0, end - stored)
            if stored >= end or self._since.get(number, (-1, 0.0))[0] != stored:
                self._since[number] = (stored, time.monotonic())
        return lag

    def _replaced(self, standing: Standing) -> WhodidError | None:
        """Why this is not the topic that it was."""
        problem = None
        if standing.identity != self.identity:
            problem = f"The brokers have {standing.identity} where {self.identity} was."
        for number, end in standing.ends.items():
            stored = self._stored(number)
            if problem is None and stored > end:
                problem = (
                    f"The store has {stored:,} records of partition {number} of the topic {self.identity.topic}, which "
                    f"ends at {end:,}: it lost its end."
                )
        if problem is None:
            return None
        hint = "Name the right brokers, or another topic, in the journal's URL, and start again."
        return WhodidError("unavailable", problem, hint, retry_after_s=RETRY_AFTER_S)

    def _full(self) -> WhodidError | None:
        if self.backlog_bytes < self._backlog_bytes_max:
            return None
        return WhodidError(
            "busy",
            f"About {self.backlog_bytes:,} bytes in the topic wait for the store; the limit is "
            f"{self._backlog_bytes_max:,}.",
            "Send again later. If it stays so, look at the store with: whodid status",
            retry_after_s=RETRY_AFTER_S,
        )
