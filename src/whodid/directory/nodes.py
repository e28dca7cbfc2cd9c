"""Nodes: who sends events, since when, how many, how its clock goes, and whether it fell silent.

Several servers may share them: counts are added up by the database, and of those that notice the same change one makes
it, and tells of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Connection, and_, func, or_, select, update

from whodid.directory import tables
from whodid.directory.database import Database, now
from whodid.errors import WhodidError
from whodid.event import BY_ITSELF, Entity


class Node(Struct, kw_only=True, frozen=True):
    """A node as the directory knows it.

    last_seen       when events or a sign of life of its agent arrived last.
    heartbeat_at    its agent's last sign of life; None for a node without an agent.
    events          how many arrived.
    clock_ahead_ms  its clock against the collector's, by its last sign of life; negative: behind.
    waiting_…       what its agent held that was not taken yet.
    silent_at       since when it is known to be silent.
    """

    node: str
    node_type: str | None
    first_seen: datetime
    last_seen: datetime
    last_event_at: datetime | None
    heartbeat_at: datetime | None
    events: int
    clock_ahead_ms: int | None
    waiting_events: int | None
    waiting_bytes: int | None
    version: str | None
    address: str | None
    agent: str | None
    silent_at: datetime | None
    retired_at: datetime | None
    retired_by: str | None

    @property
    def state(self) -> str:
        """`retired`, `silent` or `sending`."""
        return "retired" if self.retired_at else "silent" if self.silent_at else "sending"


class NodeSeen(Struct, kw_only=True):
    """What is new of a node: how many events arrived until when, and what its agent said last."""

    node: str
    at: datetime
    node_type: str | None = None
    events: int = 0
    last_event_at: datetime | None = None
    heartbeat_at: datetime | None = None
    clock_ahead_ms: int | None = None
    waiting_events: int | None = None
    waiting_bytes: int | None = None
    version: str | None = None
    address: str | None = None
    agent: str | None = None


_TOLD: Final = (
    "node_type",
    "heartbeat_at",
    "clock_ahead_ms",
    "waiting_events",
    "waiting_bytes",
    "version",
    "address",
    "agent",
)


class Nodes(Database):
    """The part of the directory that knows nodes."""

    def note_nodes(self, seen: Iterable[NodeSeen]) -> None:
        """Write down what is new; nodes that were not known are registered, silent and retired ones are back."""
        with self.writing() as connection:
            # In order, so that two servers that note the same nodes wait for each other instead of failing.
            for one in sorted(seen, key=lambda each: each.node):
                self._note(connection, one)

    def nodes(self, *, retired: bool = False) -> list[Node]:
        """The nodes by name; with `retired` those that were retired, too."""
        found = select(tables.nodes).order_by(tables.nodes.c.node)
        if not retired:
            found = found.where(tables.nodes.c.retired_at.is_(None))
        with self.reading() as connection:
            return [_node(row) for row in connection.execute(found)]

    def node(self, name: str) -> Node:
        """One node. Raises WhodidError("not_found")."""
        with self.reading() as connection:
            row = connection.execute(select(tables.nodes).where(tables.nodes.c.node == name)).first()
        if row is None:
            raise WhodidError("not_found", f"There is no node {name[:200]!r}.", "See: whodid node list")
        return _node(row)

    def retire_node(self, name: str, *, by: str | None = None) -> Node:
        """A node is to be missed no more; its events stay. It is back when it sends again. Raises not_found."""
        before = self.node(name)
        if before.retired_at is None:
            nodes = tables.nodes
            with self.writing() as connection:
                connection.execute(
                    update(nodes).where(nodes.c.node == name).values(retired_at=now(), retired_by=by, silent_at=None)
                )
                self._tell("node-retired", name, by=by)
        return self.node(name)

    def tell_silent(self, silent_s: float, quiet_s: float) -> list[str]:
        """Mark nodes of which nothing arrived for too long, and tell of each once; returns their names.

        silent_s  for nodes whose agents give signs of life; `quiet_s` for others. 0: never.
        """
        nodes, at = tables.nodes.c, now()
        limits = []
        if silent_s > 0:
            limits.append(and_(nodes.heartbeat_at.is_not(None), nodes.last_seen < at - timedelta(seconds=silent_s)))
        if quiet_s > 0:
            limits.append(and_(nodes.heartbeat_at.is_(None), nodes.last_seen < at - timedelta(seconds=quiet_s)))
        if not limits:
            return []
        is_missed = and_(nodes.silent_at.is_(None), nodes.retired_at.is_(None), or_(*limits))
        with self.reading() as connection:
            missed = connection.execute(select(nodes.node, nodes.last_seen).where(is_missed)).all()
        return [row.node for row in missed if self._fell_silent(row.node, row.last_seen, at)]

    def _fell_silent(self, name: str, last_seen: datetime, at: datetime) -> bool:
        nodes = tables.nodes
        still = and_(
            nodes.c.node == name,
            nodes.c.last_seen == last_seen,
            nodes.c.silent_at.is_(None),
            nodes.c.retired_at.is_(None),
        )
        with self.writing() as connection:
            if not connection.execute(update(nodes).where(still).values(silent_at=at)).rowcount:
                return False
            self._tell("node-silent", name, after={"last_seen": last_seen})
        return True

    def _note(self, connection: Connection, seen: NodeSeen) -> None:
        nodes = tables.nodes
        row = {"node": seen.node, "first_seen": seen.at, "last_seen": seen.at, "events": 0}
        made = self.insert(nodes).values(row).on_conflict_do_nothing().returning(nodes.c.node)
        is_first = connection.execute(made).first() is not None
        told = {name: value for name in _TOLD if (value := getattr(seen, name)) is not None}
        changes: dict[str, Any] = {
            **told,
            "last_seen": _later(nodes.c.last_seen, seen.at, self.dialect),
            "events": nodes.c.events + seen.events,
        }
        if seen.last_event_at is not None:
            changes["last_event_at"] = seen.last_event_at
        connection.execute(update(nodes).where(nodes.c.node == seen.node).values(changes))
        if is_first:
            self._tell("node-registered", seen.node, after={"node_type": seen.node_type, "address": seen.address})
            return
        was_away = or_(nodes.c.silent_at.is_not(None), nodes.c.retired_at < seen.at)
        back = update(nodes).where(nodes.c.node == seen.node, was_away)
        if connection.execute(back.values(silent_at=None, retired_at=None, retired_by=None)).rowcount:
            self._tell("node-back", seen.node)

    def _tell(self, kind: str, node: str, *, by: str | None = None, after: dict[str, Any] | None = None) -> None:
        self.announce(kind, Entity(type="node", id=node, name=node), by=by or BY_ITSELF, after=after)


def _later(column: Any, at: datetime, dialect: str) -> Any:
    function = func.greatest if dialect == "postgresql" else func.max
    return function(column, at, type_=column.type)


def _node(row: Any) -> Node:
    return Node(**{name: getattr(row, name) for name in Node.__struct_fields__})
