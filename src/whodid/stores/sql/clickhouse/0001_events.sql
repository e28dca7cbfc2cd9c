-- The events, what was rejected, how far each receiver's journal is stored, and whose turn it is to write.
-- {local}, {on_cluster}, {sharded} and {shared} are empty or say what a cluster needs (clickhouse_schema.py); each
-- statement may be run again after a crash in the middle of these. ZSTD makes 49 bytes an event of 89; what most
-- questions read has LZ4, which is unpacked in a third of the time and takes 3.5 bytes more.

CREATE TABLE IF NOT EXISTS events{local}{on_cluster} (
    id UUID CODEC(ZSTD(1)),
    time DateTime64(6, 'UTC') CODEC(T64, LZ4),
    received_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    type LowCardinality(String) CODEC(LZ4),
    level LowCardinality(String) CODEC(LZ4),
    topic LowCardinality(String) CODEC(LZ4),
    routing_key LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    source LowCardinality(String) CODEC(ZSTD(1)),
    session Nullable(UUID) CODEC(ZSTD(1)),
    user LowCardinality(Nullable(String)) CODEC(LZ4),
    acting_for LowCardinality(Nullable(String)) CODEC(LZ4),
    via LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    entity_type LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    entity_id Nullable(String) CODEC(ZSTD(1)),
    entity_name Nullable(String) CODEC(ZSTD(1)),
    entities String CODEC(ZSTD(1)),
    description Nullable(String) CODEC(ZSTD(1)),
    parameters String CODEC(ZSTD(1)),
    function LowCardinality(Nullable(String)) CODEC(LZ4),
    duration_ms Nullable(Float64) CODEC(LZ4),
    request_id Nullable(String) CODEC(ZSTD(1)),
    status LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    error_message Nullable(String) CODEC(ZSTD(1)),
    error_stack_trace Nullable(String) CODEC(ZSTD(1)),
    error_hash Nullable(UUID) CODEC(LZ4),
    node LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    node_type LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    orig_address LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    key_id LowCardinality(Nullable(String)) CODEC(ZSTD(1)),
    format LowCardinality(String) CODEC(ZSTD(1)),
    receiver LowCardinality(String) CODEC(ZSTD(1)),
    seq Int64 CODEC(Delta, ZSTD(1)),
    project LowCardinality(Nullable(String)) CODEC(LZ4),
    of_hour DateTime64(6, 'UTC') MATERIALIZED fromUnixTimestamp64Micro(
        toUnixTimestamp64Micro(time) - positiveModulo(toUnixTimestamp64Micro(time), 3600000000), 'UTC'
    ) CODEC(Delta, ZSTD(1)),
    is_use Bool MATERIALIZED level IN ('audit', 'usage')
        AND topic NOT IN ('compute-resource-usage', 'authfail', 'generic-failure') CODEC(ZSTD(1)),
    is_run Bool MATERIALIZED duration_ms IS NOT NULL CODEC(ZSTD(1)),
    is_error Bool MATERIALIZED level = 'error' OR error_message IS NOT NULL CODEC(ZSTD(1)),
    is_failure Bool MATERIALIZED level = 'error' OR error_message IS NOT NULL OR ifNull(status = 'failed', false)
        CODEC(ZSTD(1)),
    rows_told Nullable(Float64) MATERIALIZED if(
        position(parameters, 'rows') > 0 OR position(parameters, '\\u') > 0,
        if(
            isFinite(accurateCastOrNull(JSONExtract(parameters, 'rows', 'Nullable(String)'), 'Float64')),
            accurateCastOrNull(JSONExtract(parameters, 'rows', 'Nullable(String)'), 'Float64'),
            NULL
        ),
        NULL
    ) CODEC(ZSTD(1)),
    INDEX by_id_range UUIDToNum(id) TYPE minmax GRANULARITY 1,
    INDEX by_id id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX by_entity entity_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_user user TYPE set(100) GRANULARITY 1,
    PROJECTION people (
        SELECT
            of_hour, user, acting_for,
            count(), countIf(is_use), countIf(is_run), countIf(is_error), countIf(is_failure), sumOrNull(rows_told),
            minOrNull(time), maxOrNull(time)
        GROUP BY of_hour, user, acting_for
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

-- What reports count by the hour of people. The engine answers the inner statement from the projection of `events`,
-- which each part of it carries with itself: it is exact at any moment.
CREATE OR REPLACE VIEW user_hours{on_cluster} AS
SELECT
    hour, user, acting_for, coalesce(acting_for, user) AS person,
    if(person LIKE 'api:%' OR person LIKE 'no:auth%', NULL, person) AS who,
    toInt64(counted) AS events, toInt64(used) AS uses, toInt64(ran) AS runs, toInt64(erred) AS errors,
    toInt64(ended_so) AS failed, row_count, first, last
FROM (
    SELECT
        of_hour AS hour, user, acting_for,
        count() AS counted, countIf(is_use) AS used, countIf(is_run) AS ran, countIf(is_error) AS erred,
        countIf(is_failure) AS ended_so, sumOrNull(rows_told) AS row_count, minOrNull(time) AS first,
        maxOrNull(time) AS last
    FROM events
    GROUP BY of_hour, user, acting_for
);
