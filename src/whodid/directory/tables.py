"""The directory's tables. Those without schema have the names and columns that existing SQL uses; what whodid needs
besides lies in the schema `whodid` (in SQLite all lie side by side).

In PostgreSQL the tables without schema are made by the store's migrations; these descriptions agree with them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    Uuid,
)

SCHEMA: Final = "whodid"


class UtcTime(TypeDecorator[datetime]):
    """A timestamp without zone, always UTC: aware datetimes in Python."""

    impl = DateTime(timezone=False)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or value.tzinfo is None:
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None else None


def _uuid(name: str, **options: Any) -> Column[str]:
    return Column(name, Uuid(as_uuid=False), **options)


metadata: Final = MetaData()

users: Final = Table(
    "users",
    metadata,
    _uuid("id", primary_key=True),
    Column("login", Text),
    Column("name", Text),
    Column("first_name", Text),
    Column("last_name", Text),
    Column("friendly_name", Text),
    Column("email", Text),
    Column("picture", Text),
    Column("joined", UtcTime),
    _uuid("group_id"),
)

groups: Final = Table(
    "groups",
    metadata,
    _uuid("id", primary_key=True),
    Column("name", Text),
    Column("friendly_name", Text),
    Column("personal", Boolean),
    Column("description", Text),
)

groups_relations: Final = Table(
    "groups_relations",
    metadata,
    _uuid("parent_id", primary_key=True),
    _uuid("child_id", primary_key=True),
    Column("is_admin", Boolean),
)

users_sessions: Final = Table(
    "users_sessions",
    metadata,
    _uuid("id", primary_key=True),
    _uuid("user_id"),
    Column("started", UtcTime),
    Column("ended", UtcTime),
    Column("ip", Text),
    Column("type", Text),
)

entities: Final = Table(
    "entities",
    metadata,
    _uuid("id", primary_key=True),
    Column("name", Text),
    Column("friendly_name", Text),
    _uuid("entity_type_id"),
    _uuid("package_id"),
    Column("is_deleted", Boolean),
)

entities_types: Final = Table(
    "entities_types",
    metadata,
    _uuid("id", primary_key=True),
    Column("name", Text),
)

PUBLIC: Final = (users, groups, groups_relations, users_sessions, entities, entities_types)

directory_state: Final = Table(
    "directory_state",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", Integer, nullable=False),
    # Counts the changes of keys, users, settings and browser sessions, so that other processes see them soon.
    Column("epoch", BigInteger, nullable=False),
    # True from the first key or user on that somebody made: the end of access without a key.
    Column("closed", Boolean, nullable=False),
    schema=SCHEMA,
)

known_users: Final = Table(
    "known_users",
    metadata,
    _uuid("user_id", primary_key=True),
    Column("made", Boolean, nullable=False),
    Column("first_seen", UtcTime),
    Column("last_seen", UtcTime),
    # False: may not sign in, and its keys count for nothing.
    Column("active", Boolean),
    # What an identity provider calls it, and tells of it besides.
    Column("external_id", Text),
    Column("attributes", JSON),
    Column("changed_at", UtcTime),
    schema=SCHEMA,
)

former_logins: Final = Table(
    "former_logins",
    metadata,
    Column("login", Text, primary_key=True),
    _uuid("user_id", nullable=False),
    Column("until", UtcTime, nullable=False),
    schema=SCHEMA,
)

known_groups: Final = Table(
    "known_groups",
    metadata,
    _uuid("group_id", primary_key=True),
    Column("external_id", Text),
    Column("created_at", UtcTime),
    Column("changed_at", UtcTime),
    schema=SCHEMA,
)

known_entities: Final = Table(
    "known_entities",
    metadata,
    _uuid("entity_id", primary_key=True),
    Column("type", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("first_seen", UtcTime, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    Index("known_entities_type_id", "type", "id"),
    schema=SCHEMA,
)

entity_names: Final = Table(
    "entity_names",
    metadata,
    _uuid("entity_id", primary_key=True),
    Column("name", Text, primary_key=True),
    Column("first_seen", UtcTime, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    schema=SCHEMA,
)

entity_kinds: Final = Table(
    "entity_kinds",
    metadata,
    _uuid("entity_id", primary_key=True),
    Column("type", Text, primary_key=True),
    Column("first_seen", UtcTime, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    schema=SCHEMA,
)

known_sessions: Final = Table(
    "known_sessions",
    metadata,
    _uuid("session_id", primary_key=True),
    # The latest event; `users_sessions.ended` is empty as long as the session is open.
    Column("last_seen", UtcTime, nullable=False),
    Column("closed_at", UtcTime),
    Column("closed_by", Text),
    Column("user_agent", Text),
    Column("client", Text),
    schema=SCHEMA,
)

keys: Final = Table(
    "keys",
    metadata,
    _uuid("id", primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("prefix", Text, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("topics", JSON, nullable=False),
    Column("nodes", JSON, nullable=False),
    Column("routing_keys", JSON, nullable=False),
    Column("node_type", Text),
    Column("user", Text),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", Text),
    Column("expires_at", UtcTime),
    Column("revoked_at", UtcTime),
    Column("last_used_at", UtcTime),
    schema=SCHEMA,
)

settings: Final = Table(
    "settings",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", JSON(none_as_null=False)),
    Column("version", Integer, nullable=False),
    Column("changed_at", UtcTime, nullable=False),
    Column("changed_by", Text),
    schema=SCHEMA,
)

setting_versions: Final = Table(
    "setting_versions",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("value", JSON(none_as_null=False)),
    Column("changed_at", UtcTime, nullable=False),
    Column("changed_by", Text),
    schema=SCHEMA,
)

sign_in_tokens: Final = Table(
    "sign_in_tokens",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("user", Text),
    Column("scopes", JSON, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    # What it is for: None to sign in, "password" to choose another password.
    Column("purpose", Text),
    schema=SCHEMA,
)

browser_sessions: Final = Table(
    "browser_sessions",
    metadata,
    _uuid("id", primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("user", Text),
    Column("scopes", JSON, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("address", Text),
    Column("way", Text),
    Column("user_agent", Text),
    Column("last_seen_at", UtcTime),
    Column("idle_ms", BigInteger),
    schema=SCHEMA,
)

grants: Final = Table(
    "grants",
    metadata,
    _uuid("id", primary_key=True),
    Column("role", Text, nullable=False),
    # One of both: who has the role.
    _uuid("user_id"),
    _uuid("group_id"),
    Column("projects", JSON, nullable=False),
    Column("entities", JSON, nullable=False),
    Column("own", Boolean, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", Text),
    schema=SCHEMA,
)

passwords: Final = Table(
    "passwords",
    metadata,
    _uuid("user_id", primary_key=True),
    Column("hash", Text, nullable=False),
    Column("changed_at", UtcTime, nullable=False),
    schema=SCHEMA,
)

sign_in_attempts: Final = Table(
    "sign_in_attempts",
    metadata,
    # Digest of an account or an address: who was tried is nobody's business.
    Column("digest", LargeBinary, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("next_at", UtcTime, nullable=False),
    Column("last_at", UtcTime, nullable=False),
    schema=SCHEMA,
)

identities: Final = Table(
    "identities",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    _uuid("user_id", nullable=False),
    # The groups that the provider named last: those it names no more are left.
    Column("groups", JSON, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("last_seen_at", UtcTime, nullable=False),
    schema=SCHEMA,
)

server_keys: Final = Table(
    "server_keys",
    metadata,
    Column("name", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    schema=SCHEMA,
)

nodes: Final = Table(
    "nodes",
    metadata,
    Column("node", Text, primary_key=True),
    Column("node_type", Text),
    Column("first_seen", UtcTime, nullable=False),
    # When anything of it arrived: events or a sign of life of its agent.
    Column("last_seen", UtcTime, nullable=False),
    Column("last_event_at", UtcTime),
    Column("heartbeat_at", UtcTime),
    # Events that arrived, each once unless its sender was killed in between.
    Column("events", BigInteger, nullable=False),
    Column("clock_ahead_ms", BigInteger),
    Column("waiting_events", BigInteger),
    Column("waiting_bytes", BigInteger),
    Column("version", Text),
    Column("address", Text),
    Column("agent", Text),
    Column("silent_at", UtcTime),
    Column("retired_at", UtcTime),
    Column("retired_by", Text),
    schema=SCHEMA,
)

receivers: Final = Table(
    "receivers",
    metadata,
    _uuid("receiver", primary_key=True),
    Column("name", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("journal", Text, nullable=False),
    # What it said last: serving, draining, stopped.
    Column("state", Text, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    # By the database's clock.
    Column("first_seen", UtcTime, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    # Running numbers: of the last event it acknowledged, and up to which all was stored when it looked.
    Column("acknowledged", BigInteger, nullable=False),
    Column("settled", BigInteger, nullable=False),
    Column("clock_ahead_ms", BigInteger),
    Column("standing", JSON, nullable=False),
    Column("silent_at", UtcTime),
    Column("lost_at", UtcTime),
    # Numbers that it acknowledged and that never reached the store.
    Column("lost_first", BigInteger),
    Column("lost_last", BigInteger),
    _uuid("replaced_by"),
    Column("retired_at", UtcTime),
    Column("retired_by", Text),
    schema=SCHEMA,
)

due_work: Final = Table(
    "due_work",
    metadata,
    # What is to be done at a time by one of the servers: runs of schedules, notices of alerts.
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("due", UtcTime, primary_key=True),
    Column("state", Text, nullable=False),
    # Of one channel, such as a mail server, no server does two things at once.
    Column("channel", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", UtcTime, nullable=False),
    Column("owner", Text),
    Column("claimed_until", UtcTime),
    Column("started_at", UtcTime),
    Column("finished_at", UtcTime),
    Column("given", JSON, nullable=False),
    Column("outcome", JSON),
    schema=SCHEMA,
)

leases: Final = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("until", UtcTime, nullable=False),
    schema=SCHEMA,
)

alert_firings: Final = Table(
    "alert_firings",
    metadata,
    _uuid("id", primary_key=True),
    Column("rule", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    # Rule and fingerprint while the same finding is no second firing; empty afterwards.
    Column("open_key", Text, unique=True),
    Column("state", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("details", JSON, nullable=False),
    Column("findings", Integer, nullable=False),
    Column("first_at", UtcTime, nullable=False),
    Column("last_at", UtcTime, nullable=False),
    Column("told_at", UtcTime),
    Column("muted_until", UtcTime),
    Column("ended_at", UtcTime),
    Column("ended_by", Text),
    schema=SCHEMA,
)

alert_marks: Final = Table(
    "alert_marks",
    metadata,
    Column("rule", Text, primary_key=True),
    Column("value", JSON, nullable=False),
    Column("checked_at", UtcTime, nullable=False),
    Column("problem", Text),
    schema=SCHEMA,
)

OWN: Final = tuple(table for table in metadata.sorted_tables if table.schema == SCHEMA)
