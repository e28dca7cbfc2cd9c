"""The directory's tables. Those without schema have the names and columns that existing SQL uses; what whodid needs
besides lies in the schema `whodid` (in SQLite all lie side by side).

In PostgreSQL the tables without schema are made by the store's migrations; these descriptions agree with them.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, Integer, LargeBinary, Table, Text

from whodid.directory.columns import SCHEMA, UtcTime, changed, metadata, own, retired, seen, uuid

users: Final = Table(
    "users",
    metadata,
    uuid("id", primary_key=True),
    Column("login", Text),
    Column("name", Text),
    Column("first_name", Text),
    Column("last_name", Text),
    Column("friendly_name", Text),
    Column("email", Text),
    Column("picture", Text),
    Column("joined", UtcTime),
    uuid("group_id"),
)

groups: Final = Table(
    "groups",
    metadata,
    uuid("id", primary_key=True),
    Column("name", Text),
    Column("friendly_name", Text),
    Column("personal", Boolean),
    Column("description", Text),
)

groups_relations: Final = Table(
    "groups_relations",
    metadata,
    uuid("parent_id", primary_key=True),
    uuid("child_id", primary_key=True),
    Column("is_admin", Boolean),
)

users_sessions: Final = Table(
    "users_sessions",
    metadata,
    uuid("id", primary_key=True),
    uuid("user_id"),
    Column("started", UtcTime),
    Column("ended", UtcTime),
    Column("ip", Text),
    Column("type", Text),
)

entities: Final = Table(
    "entities",
    metadata,
    uuid("id", primary_key=True),
    Column("name", Text),
    Column("friendly_name", Text),
    uuid("entity_type_id"),
    uuid("package_id"),
    Column("is_deleted", Boolean),
)

entities_types: Final = Table(
    "entities_types",
    metadata,
    uuid("id", primary_key=True),
    Column("name", Text),
)

PUBLIC: Final = (users, groups, groups_relations, users_sessions, entities, entities_types)

directory_state: Final = own(
    "directory_state",
    Column("id", Integer, primary_key=True),
    Column("version", Integer, nullable=False),
    # Counts the changes of keys, users, settings and browser sessions, so that other processes see them soon.
    Column("epoch", BigInteger, nullable=False),
    # True from the first key or user on that somebody made: the end of access without a key.
    Column("closed", Boolean, nullable=False),
)

known_users: Final = own(
    "known_users",
    uuid("user_id", primary_key=True),
    Column("made", Boolean, nullable=False),
    Column("first_seen", UtcTime),
    Column("last_seen", UtcTime),
    # False: may not sign in, and its keys count for nothing.
    Column("active", Boolean),
    # What an identity provider calls it, and tells of it besides.
    Column("external_id", Text),
    Column("attributes", JSON),
    Column("changed_at", UtcTime),
)

former_logins: Final = own(
    "former_logins",
    Column("login", Text, primary_key=True),
    uuid("user_id", nullable=False),
    Column("until", UtcTime, nullable=False),
)

known_groups: Final = own(
    "known_groups",
    uuid("group_id", primary_key=True),
    Column("external_id", Text),
    Column("created_at", UtcTime),
    Column("changed_at", UtcTime),
)

known_entities: Final = own(
    "known_entities",
    uuid("entity_id", primary_key=True),
    Column("type", Text, nullable=False),
    Column("id", Text, nullable=False),
    *seen(),
    Index("known_entities_type_id", "type", "id"),
)

entity_names: Final = own(
    "entity_names",
    uuid("entity_id", primary_key=True),
    Column("name", Text, primary_key=True),
    *seen(),
)

entity_kinds: Final = own(
    "entity_kinds",
    uuid("entity_id", primary_key=True),
    Column("type", Text, primary_key=True),
    *seen(),
)

known_sessions: Final = own(
    "known_sessions",
    uuid("session_id", primary_key=True),
    # The latest event; `users_sessions.ended` is empty as long as the session is open.
    Column("last_seen", UtcTime, nullable=False),
    Column("closed_at", UtcTime),
    Column("closed_by", Text),
    Column("user_agent", Text),
    Column("client", Text),
)

keys: Final = own(
    "keys",
    uuid("id", primary_key=True),
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
)

settings: Final = own(
    "settings",
    Column("name", Text, primary_key=True),
    Column("value", JSON(none_as_null=False)),
    Column("version", Integer, nullable=False),
    *changed(),
)

setting_versions: Final = own(
    "setting_versions",
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("value", JSON(none_as_null=False)),
    *changed(),
)

sign_in_tokens: Final = own(
    "sign_in_tokens",
    Column("digest", LargeBinary, primary_key=True),
    Column("user", Text),
    Column("scopes", JSON, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    # What it is for: None to sign in, "password" to choose another password.
    Column("purpose", Text),
)

browser_sessions: Final = own(
    "browser_sessions",
    uuid("id", primary_key=True),
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
)

grants: Final = own(
    "grants",
    uuid("id", primary_key=True),
    Column("role", Text, nullable=False),
    # One of both: who has the role.
    uuid("user_id"),
    uuid("group_id"),
    Column("projects", JSON, nullable=False),
    Column("entities", JSON, nullable=False),
    Column("own", Boolean, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", Text),
)

passwords: Final = own(
    "passwords",
    uuid("user_id", primary_key=True),
    Column("hash", Text, nullable=False),
    Column("changed_at", UtcTime, nullable=False),
)

sign_in_attempts: Final = own(
    "sign_in_attempts",
    # Digest of an account or an address: who was tried is nobody's business.
    Column("digest", LargeBinary, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("next_at", UtcTime, nullable=False),
    Column("last_at", UtcTime, nullable=False),
)

identities: Final = own(
    "identities",
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    uuid("user_id", nullable=False),
    # The groups that the provider named last: those it names no more are left.
    Column("groups", JSON, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("last_seen_at", UtcTime, nullable=False),
)

server_keys: Final = own(
    "server_keys",
    Column("name", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

nodes: Final = own(
    "nodes",
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
    *retired(),
)

receivers: Final = own(
    "receivers",
    uuid("receiver", primary_key=True),
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
    *seen(),
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
    uuid("replaced_by"),
    *retired(),
)

due_work: Final = own(
    "due_work",
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
)

leases: Final = own(
    "leases",
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("until", UtcTime, nullable=False),
)

alert_firings: Final = own(
    "alert_firings",
    uuid("id", primary_key=True),
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
)

alert_marks: Final = own(
    "alert_marks",
    Column("rule", Text, primary_key=True),
    Column("value", JSON, nullable=False),
    Column("checked_at", UtcTime, nullable=False),
    Column("problem", Text),
)

OWN: Final = tuple(table for table in metadata.sorted_tables if table.schema == SCHEMA)
