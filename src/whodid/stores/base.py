"""The contract of a store: batches of a journal in, exactly once; SQL out, read-only and bounded.

Every store shows one relation `events` (PostgreSQL: the view `whodid.events`) with the columns of `COLUMNS` and
`WORKED_OUT`, so that what is written against it in the common dialect of DuckDB and PostgreSQL runs on all. Times are
UTC without zone; sessions run with time zone UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from msgspec import Struct

from whodid.journal.base import Batch

if TYPE_CHECKING:
    import pyarrow as pa


class Column(NamedTuple):
    """A column of `events`: its name, common SQL type and meaning."""

    name: str
    sql_type: str
    help: str


COLUMNS: Final[tuple[Column, ...]] = (
    Column("id", "uuid", "made by the sender; the idempotency key"),
    Column("time", "timestamp", "when it happened (UTC)"),
    Column("received_at", "timestamp", "when whodid received it (UTC)"),
    Column("type", "varchar", "what was done: query-start, login, …"),
    Column("level", "varchar", "audit, usage, error, warning, info, debug"),
    Column("topic", "varchar", "generic, apinode-query, compute-resource-usage, …"),
    Column("routing_key", "varchar", "the sender's routing key"),
    Column("source", "varchar", "client or server"),
    Column("session", "uuid", "the session it belongs to"),
    Column("user", "varchar", "login of the person or name of the program"),
    Column("acting_for", "varchar", "the person a program acted for"),
    Column("via", "varchar", "the scenario, webapp, job or notebook that acted"),
    Column("entity_type", "varchar", "type of the first entity"),
    Column("entity_id", "varchar", "id of the first entity"),
    Column("entity_name", "varchar", "name of the first entity at that time"),
    Column("entities", "json", "all entities: role, type, id, name"),
    Column("description", "varchar", "may hold @parameter placeholders"),
    Column("parameters", "json", "everything else the sender told"),
    Column("function", "varchar", "function that was run"),
    Column("duration_ms", "double", "how long it took, in milliseconds"),
    Column("request_id", "varchar", "joins client and server events of one request"),
    Column("status", "varchar", "what came of it"),
    Column("error_message", "varchar", "the error's message"),
    Column("error_stack_trace", "varchar", "the error's stack trace"),
    Column("error_hash", "uuid", "group of the error"),
    Column("node", "varchar", "server or node that sent it"),
    Column("node_type", "varchar", "design, automation, api, …"),
    Column("orig_address", "varchar", "address it was received from"),
    Column("key_id", "varchar", "key it was received with"),
    Column("format", "varchar", "native, dss-log4j, dss-event-server, …"),
    Column("receiver", "varchar", "receiver that made it durable"),
    Column("seq", "bigint", "running number at that receiver"),
)

# Further columns of `events`, worked out by the store from those above: to ask by, never part of an event.
WORKED_OUT: Final[tuple[Column, ...]] = (
    Column("project", "varchar", "the project that its parameters name, else its first entity of that type"),
)


# What a store may keep beside its events, so that reports need not read these: relations by name, with their columns.
# A store names in `reading.dialect.Dialect.kept` which of them it keeps; all others are worked out of the events when
# they are asked, so that a store without any answers the same, only later. `reports/sql/kept/` says what each means,
# and the tests of this contract compare them with it: at any moment they hold exactly what the committed events give,
# also after repeats, late events, forgetting and a crash. A key may have several rows.
_SUMS: Final = ("events", "uses", "runs", "errors", "failed", "row_count", "first", "last")
_PEOPLE: Final = ("user", "acting_for", "person", "who")
_DONE: Final = ("type", "level", "topic", "function", "project")
_WHAT: Final = (*_PEOPLE, *_DONE)
_THING: Final = (
    "node", "node_type", "has_via", "by_hand", "package", "version", "verb", "entity_type", "entity_id", "entity_name",
)  # fmt: skip
_TOUCHED: Final = (*_WHAT, *_THING)
_FLOW: Final = (
    "level", "type", "function", "via", "touched", "has_roles", "entity_type", "entity_id", "entity_name",
)  # fmt: skip
_NARROW: Final = (
    "id", "time", "type", "level", "topic", *_PEOPLE, "project", "entity_type", "entity_id",
)  # fmt: skip
_USAGE: Final = (
    "usage", "usage_kind", "context_type", "context_project", "login", "connection_usage", "connection", "model",
    "execution", "thing", "thing_name", "memory_mb_s", "cpu_ms", "sql_ms", "llm_queries", "prompt_tokens",
    "completion_tokens", "llm_cost_usd", "cache_hits", "running_ms",
)  # fmt: skip
_QUERIES: Final = (
    "hour", *_PEOPLE, "type", "level", "topic", "project", "entity_type", "entity_id", "service", "endpoint", "version",
    "caller", "node", "events", "failed", "durations", "first", "last",
)  # fmt: skip

KEPT: Final[dict[str, tuple[str, ...]]] = {
    # By the hour: sums over the events that agree in all other columns.
    "user_hours": ("hour", *_PEOPLE, *_SUMS),
    "event_hours": ("hour", *_WHAT, *_SUMS),
    "thing_hours": ("hour", *_TOUCHED, *_SUMS),
    "entity_hours": ("hour", *_TOUCHED, *_SUMS),
    # First things, whoever did it.
    "total_hours": ("hour", *_DONE, *_THING, *_SUMS),
    "session_hours": ("hour", "session", *_PEOPLE, "project"),
    "flow_hours": ("hour", *_PEOPLE, *_FLOW, *_SUMS),
    # Runs by how long they took.
    "run_hours": ("hour", "type", "level", "topic", "function", "duration_ms", "events", "failed", "first", "last"),
    # Runs in lists of how long those of an hour took, their sum and their latest time.
    "run_lists": ("hour", "type", "level", "topic", "function", "events", "failed", "durations", "total_ms", "last"),
    # The same by the day of UTC, from its first moment on.
    "user_days": ("day", *_PEOPLE, *_SUMS),
    "event_days": ("day", *_WHAT, *_SUMS),
    "thing_days": ("day", *_TOUCHED, *_SUMS),
    "entity_days": ("day", *_TOUCHED, *_SUMS),
    "session_days": ("day", "session", *_PEOPLE),
    # Whoever did it.
    "flow_days": ("day", *_FLOW, *_SUMS),
    # Some of the events, with what reports take out of their JSON.
    "error_events": (
        *_NARROW, "source", "session", "request_id", "error_hash", "version", "message", "told", "has_trace", "shape",
        "error_stack_trace",
    ),
    "error_entities": ("event_id", "time", "level", "type", "id"),
    "query_events": (
        *_NARROW, "request_id", "service", "endpoint", "version", "told_version", "caller", "node", "duration_ms",
        "has_failed", "chance",
    ),
    # Queries with lists of how long they took, by the first thing that they touched, and by each.
    "query_hours": _QUERIES,
    "entity_query_hours": _QUERIES,
    # What samples of queries are taken by: how many there are of a version, what those were asked and answered that are
    # likely to be taken, and what became known of predictions.
    "version_hours": ("hour", "type", "level", "topic", "service", "endpoint", "told_version", "events"),
    "answer_events": ("id", "time", "level", "request_id", "parameters"),
    "outcome_events": ("id", "time", "level", "service", "outcome_key", "outcome", "match"),
    "login_events": (*_NARROW, "account", "address", "has_failed"),
    "item_events": (*_NARROW, "session", "request_id", "kind", "item"),
    "item_hours": (
        "hour", *_PEOPLE, "type", "level", "topic", "project", "kind", "item", "events", "first", "last",
    ),
    "usage_events": (*_NARROW, *_USAGE),
    # The most that they say by the hour and the day: what was used so far only grows.
    "usage_hours": ("hour", "level", *_PEOPLE, "project", *_USAGE, "first", "last"),
    "usage_days": ("day", "level", *_PEOPLE, "project", *_USAGE, "first", "last"),
    "pod_events": (
        *_NARROW, "cluster", "is_census", "pod", "namespace", "phase", "annotated_project", "labelled_project",
        "execution", "login", "memory_mb", "memory_request_mb", "cpu_millis", "cpu_request_millis",
    ),
    # What they held, and were measured, until the next census: that may be of another hour.
    "pod_hours": (
        "hour", "cluster", "is_census", "namespace", "pod", "annotated_project", "labelled_project", "execution",
        "login", "measured_s", "memory_gb_h", "cpu_h", "memory_request_gb_h", "cpu_request_h",
    ),
}  # fmt: skip

KEPT_BY_POSTGRESQL: Final = (
    "user_hours", "event_hours", "thing_hours", "entity_hours", "session_hours", "flow_hours", "run_hours", "user_days",
    "event_days", "thing_days", "entity_days", "session_days", "flow_days", "error_events", "query_events",
    "login_events", "item_events", "usage_events", "usage_hours", "usage_days", "pod_events", "pod_hours",
    "total_hours", "item_hours", "run_lists", "version_hours", "outcome_events", "query_hours", "entity_query_hours",
)  # fmt: skip
"""Which of them PostgreSQL keeps."""

_KEPT_BY_POSTGRESQL_ALONE: Final = (
    "total_hours", "item_hours", "version_hours", "run_lists",
    "query_hours", "entity_query_hours",
)  # fmt: skip
KEPT_BY_DUCKDB: Final = tuple(name for name in KEPT if name not in _KEPT_BY_POSTGRESQL_ALONE)
"""Which of them DuckDB keeps."""


MISSING: Final = "missing"
"""The code of the rejection that tells of batches which a store never had."""


class Seen(Struct, kw_only=True, gc=False):
    """A login, session or entity that stored events mention, with the span of those mentions (UTC)."""

    first: datetime
    last: datetime


class SeenUser(Seen, kw_only=True, gc=False):
    login: str


class SeenSession(Seen, kw_only=True, gc=False):
    id: str
    user: str | None
    orig_address: str | None
    source: str


class SeenEntity(Seen, kw_only=True, gc=False):
    type: str
    id: str
    name: str | None


class Mentions(Struct, kw_only=True):
    """Whom and what a write mentioned: what the directory learns from it."""

    users: list[SeenUser] = []
    sessions: list[SeenSession] = []
    entities: list[SeenEntity] = []


class Written(Struct, kw_only=True):
    """What a write did. `events` were new, `duplicates` were there already (by id), `rejects` were kept aside."""

    events: int
    duplicates: int
    rejects: int
    mentions: Mentions


class Forgotten(Struct, kw_only=True):
    """What a step of forgetting took away; `more` when there may be more to take."""

    events: int
    more: bool


def whole_hour(moment: datetime) -> datetime:
    """The beginning of the hour, in UTC without zone: what is counted by the hour is forgotten by the hour."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.replace(minute=0, second=0, microsecond=0)


class StoreStats(Struct, kw_only=True):
    """The size of a store. `size_bytes` is on disk, indexes included.

    memory_bytes  what an engine within this process holds, by what it is for; empty for one elsewhere.
    """

    events: int
    rejects: int
    size_bytes: int
    oldest: datetime | None
    newest: datetime | None
    version: int
    memory_bytes: dict[str, int] = {}


class Result(NamedTuple):
    """Rows of a query; `truncated` when there were more than the limit."""

    table: pa.Table
    truncated: bool


class Asked(Protocol):
    """What answers questions; the method blocks and is safe to call at once."""

    kind: str

    def query(
        self,
        sql: str,
        params: Sequence[Any] | dict[str, Any] | None = None,
        *,
        limit: int = 10_000,
        timeout_ms: int = 30_000,
        trusted: bool = False,
    ) -> Result:
        """Answer one read-only statement.

        sql         one SELECT in the store's dialect; named parameters as `$name`, positional as `$1` (or `?`).
        limit       rows at most; one more is looked for to know whether the answer is cut.
        timeout_ms  the statement is stopped after this long.
        trusted     True for whodid's own statements: skips the guard against anything but a single SELECT on
                    events; what runs is read-only and bounded all the same.
        Raises      WhodidError("invalid")    permanent: not a single SELECT, or the engine's complaint.
                    WhodidError("forbidden")  permanent: reads files, changes settings, or leaves the events.
                    WhodidError("timeout")    stopped at timeout_ms; narrow the time range.
        """


class Store(Asked, Protocol):
    """Where events are found again. Methods block; call them from threads. All are safe to call at once."""

    def position(self, receiver: str) -> int:
        """Number of the last batch of `receiver` that is stored; 0 before the first."""

    def positions(self) -> dict[str, int]:
        """The positions of all receivers that it has something of."""

    def write(self, batches: Sequence[Batch]) -> Written:
        """Store batches of one receiver, in one transaction together with their position.

        batches  1 or more, ascending, all beyond `position(receiver)`. Events whose id is stored already change
                 nothing, whichever batch, receiver or time they came in with.
        Raises   WhodidError("unavailable")  temporary: the engine cannot be reached; nothing was written.
                 WhodidError("full")         temporary: no space; nothing was written.
        """

    def rest(self) -> None:
        """Do what can wait: called by the writer whenever nothing waits to be stored. Changes no answer."""

    def stats(self) -> StoreStats: ...

    def forget(self, level: str, before: datetime) -> Forgotten:
        """Take the oldest events of a level away, as long as they are of whole hours before a time (UTC).

        One step is one short transaction, of an hour to a day of events with all that is counted of them: call it
        until there is no `more`. Events that come in again later are stored like any others.
        Raises   WhodidError("unavailable")  temporary: the engine cannot be reached; nothing was taken away.
        """

    def close(self) -> None:
        """Let go of everything. A write that goes on ends or is broken off, within seconds."""
