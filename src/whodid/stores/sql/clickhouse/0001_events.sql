-- The events, what was rejected, how far each receiver's journal is stored, and whose turn it is to write.
-- {local}, {on_cluster}, {sharded} and {shared} are empty or say what a cluster needs (clickhouse_schema.py); each
-- statement may be run again after a crash in the middle of these. Codecs: 89 bytes an event become 49.

CREATE TABLE IF NOT EXISTS events{local}{on_cluster} (
    id UUID CODEC(ZSTD(1)),
    time DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    received_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    type LowCardinality(String) CODEC(ZSTD(1)),
    level LowCardinality(String) CODEC(ZSTD(1)),
    topic LowCardinality(String) CODEC(ZSTD(1)),
    routing_key LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    source LowCardinality(String) CODEC(ZSTD(1)),
    session Nullable(UUID) CODEC(ZSTD(1)),
    user LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    acting_for LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    via LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    entity_type LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    entity_id Nullable(String) CODEC(ZSTD(1)),
    entity_name Nullable(String) CODEC(ZSTD(1)),
    entities String CODEC(ZSTD(1)),
    description Nullable(String) CODEC(ZSTD(1)),
    parameters String CODEC(ZSTD(1)),
    function LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    duration_ms Nullable(Float64) CODEC(ZSTD(1)),
    request_id Nullable(String) CODEC(ZSTD(1)),
    status LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    error_message Nullable(String) CODEC(ZSTD(1)),
    error_stack_trace Nullable(String) CODEC(ZSTD(1)),
    error_hash Nullable(UUID) CODEC(ZSTD(1)),
    node LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    node_type LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    orig_address LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    key_id LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    format LowCardinality(String) CODEC(ZSTD(1)),
    receiver LowCardinality(String) CODEC(ZSTD(1)),
    seq Int64 CODEC(Delta, ZSTD(1)),
    project LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    is_run Bool MATERIALIZED duration_ms IS NOT NULL CODEC(ZSTD(1)),
    is_error Bool MATERIALIZED level = 'error' OR error_message IS NOT NULL CODEC(ZSTD(1)),
    INDEX by_id_range UUIDToNum(id) TYPE minmax GRANULARITY 1,
    INDEX by_id id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX by_entity entity_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_user user TYPE set(100) GRANULARITY 1,
    PROJECTION hours (
        SELECT
            date_trunc('hour', time), type, level, topic, function, user, acting_for, project,
            count(), countIf(is_run), countIf(is_error), min(time), max(time)
        GROUP BY date_trunc('hour', time), type, level, topic, function, user, acting_for, project
    ),
    PROJECTION people (
        SELECT
            date_trunc('hour', time), level, topic, user, acting_for,
            count(), countIf(is_run), countIf(is_error), min(time), max(time)
        GROUP BY date_trunc('hour', time), level, topic, user, acting_for
    ),
    PROJECTION sessions (
        SELECT date_trunc('hour', time), session, user, acting_for, count()
        GROUP BY date_trunc('hour', time), session, user, acting_for
    )
)
ENGINE = {sharded}ReplacingMergeTree
PARTITION BY toYYYYMMDD(time)
ORDER BY (time, id)
SETTINGS {deduplication}
    deduplicate_merge_projection_mode = 'rebuild', lightweight_mutation_projection_mode = 'rebuild';

-- The entities of an event beyond its first, in the order in which they are asked for.
CREATE TABLE IF NOT EXISTS event_entities{local}{on_cluster} (
    event_id UUID,
    time DateTime64(6, 'UTC'),
    type LowCardinality(String),
    id String,
    role LowCardinality(Nullable(String)),
    name Nullable(String),
    level LowCardinality(String)
)
ENGINE = {sharded}ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (type, id, time, event_id, role)
SETTINGS {deduplication} allow_nullable_key = 1;

CREATE TABLE IF NOT EXISTS rejected_events{local}{on_cluster} (
    received_at DateTime64(6, 'UTC'),
    receiver LowCardinality(String),
    seq Int64,
    "index" Int64,
    code LowCardinality(String),
    message String,
    line Nullable(Int64),
    source Nullable(String),
    raw Nullable(String),
    raw_encoding LowCardinality(String),
    raw_size_bytes Nullable(Int64),
    format LowCardinality(String),
    key_id LowCardinality(Nullable(String)),
    orig_address LowCardinality(Nullable(String)),
    id Nullable(String),
    INDEX by_id id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {sharded}MergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (received_at, receiver, seq)
SETTINGS {deduplication} index_granularity = 8192;

-- {distributed events sipHash64(id)}
-- {distributed event_entities sipHash64(event_id)}
-- {distributed rejected_events sipHash64(receiver, seq)}

CREATE TABLE IF NOT EXISTS journal_position{on_cluster} (
    receiver String,
    number Int64,
    writer String,
    written_at DateTime64(6, 'UTC')
)
ENGINE = {shared:ReplacingMergeTree(number)}
ORDER BY receiver;

-- A row when a writer takes its turn, and another one when it is over (clickhouse_turns.py).
CREATE TABLE IF NOT EXISTS turns{on_cluster} (
    turn Int64,
    is_over Bool,
    writer String,
    said_at DateTime64(6, 'UTC')
)
ENGINE = {shared:MergeTree}
ORDER BY (turn, is_over)
TTL toDateTime(said_at) + INTERVAL 1 DAY
SETTINGS {deduplication} index_granularity = 8192;

-- What reports count by the hour. The engine answers from the projections of `events`, which each part of it carries
-- with itself: they are exact at any moment.
CREATE OR REPLACE VIEW event_hours{on_cluster} AS
SELECT
    date_trunc('hour', time) AS hour, type, level, topic, function, user, acting_for, project,
    count() AS events, countIf(is_run) AS runs, countIf(is_error) AS errors, min(time) AS first, max(time) AS last
FROM events
GROUP BY date_trunc('hour', time), type, level, topic, function, user, acting_for, project;

CREATE OR REPLACE VIEW user_hours{on_cluster} AS
SELECT
    date_trunc('hour', time) AS hour, level, topic, user, acting_for,
    count() AS events, countIf(is_run) AS runs, countIf(is_error) AS errors, min(time) AS first, max(time) AS last
FROM events
GROUP BY date_trunc('hour', time), level, topic, user, acting_for;

CREATE OR REPLACE VIEW session_hours{on_cluster} AS
SELECT date_trunc('hour', time) AS hour, session, user, acting_for
FROM events
WHERE session IS NOT NULL
GROUP BY date_trunc('hour', time), session, user, acting_for;
