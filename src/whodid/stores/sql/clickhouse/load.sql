-- From the frames of batches to rows: into temporary tables in the engine's memory, from there into the tables.

-- name: make_frames
CREATE OR REPLACE TEMPORARY TABLE frames (
    seq Int64,
    received_at DateTime64(6, 'UTC'),
    receiver String,
    format Nullable(String),
    key_id Nullable(String),
    orig_address Nullable(String),
    events Array(Tuple(
        id UUID, time DateTime64(6, 'UTC'), type String, level Nullable(String),
        topic Nullable(String), routing_key Nullable(String),
        source Nullable(String), session Nullable(UUID), user Nullable(String),
        acting_for Nullable(String), via Nullable(String), entities Nullable(String),
        description Nullable(String), parameters Nullable(String), function Nullable(String),
        duration_ms Nullable(Float64), request_id Nullable(String), status Nullable(String),
        error_message Nullable(String), error_stack_trace Nullable(String), error_hash Nullable(UUID),
        node Nullable(String), node_type Nullable(String)
    )),
    rejects Array(Tuple(
        "index" Int64, code String, message String, line Nullable(Int64), source Nullable(String),
        raw Nullable(String), raw_encoding Nullable(String), raw_size_bytes Nullable(Int64), id Nullable(String)
    ))
) ENGINE = Memory

-- name: add_frames
INSERT INTO frames FORMAT JSONEachRow

-- name: make_incoming
CREATE OR REPLACE TEMPORARY TABLE incoming ENGINE = Memory AS
SELECT
    e_id AS id, e_time AS time, received_at, e_type AS type,
    CAST(coalesce(e_level, 'audit') AS LowCardinality(String)) AS level,
    CAST(coalesce(e_topic, 'generic') AS LowCardinality(String)) AS topic,
    e_routing_key AS routing_key, CAST(coalesce(e_source, 'client') AS LowCardinality(String)) AS source,
    e_session AS session, e_user AS user, e_acting_for AS acting_for, e_via AS via,
    CAST(nullIf(things[1].type, '') AS LowCardinality(Nullable(String))) AS entity_type,
    if(empty(things), NULL, things[1].id) AS entity_id, things[1].name AS entity_name,
    coalesce(e_entities, '[]') AS entities, e_description AS description, coalesce(e_parameters, '{}') AS parameters,
    e_function AS function, e_duration_ms AS duration_ms, e_request_id AS request_id, e_status AS status,
    e_error_message AS error_message, e_error_stack_trace AS error_stack_trace, e_error_hash AS error_hash,
    e_node AS node, e_node_type AS node_type, orig_address, key_id,
    CAST(coalesce(format, 'native') AS LowCardinality(String)) AS format, receiver, seq + place - 1 AS seq,
    CAST(coalesce(
        if(
            position(parameters, 'project') > 0 OR position(parameters, '\\u') > 0,
            coalesce(
                nullIf(JSONExtract(parameters, 'projectKey', 'Nullable(String)'), ''),
                nullIf(JSONExtract(parameters, 'project', 'Nullable(String)'), '')
            ),
            NULL
        ),
        if(
            arrayExists(thing -> thing.type = 'project', things),
            arrayFirst(thing -> thing.type = 'project', things).id,
            NULL
        )
    ) AS LowCardinality(Nullable(String))) AS project,
    things
FROM (
    SELECT
        *,
        if(
            e_entities IS NULL OR e_entities = '[]', [],
            JSONExtract(
                coalesce(e_entities, '[]'),
                'Array(Tuple(role Nullable(String), type String, id String, name Nullable(String)))'
            )
        ) AS things
    FROM (
        SELECT
            seq, received_at, receiver, format, key_id, orig_address,
            e_id, e_time, e_type, e_level, e_topic, e_routing_key, e_source, e_session, e_user, e_acting_for, e_via,
            e_entities, e_description, e_parameters, e_function, e_duration_ms, e_request_id, e_status,
            e_error_message, e_error_stack_trace, e_error_hash, e_node, e_node_type, place
        FROM frames
        ARRAY JOIN
            events.id AS e_id, events.time AS e_time, events.type AS e_type, events.level AS e_level,
            events.topic AS e_topic, events.routing_key AS e_routing_key, events.source AS e_source,
            events.session AS e_session, events.user AS e_user, events.acting_for AS e_acting_for,
            events.via AS e_via, events.entities AS e_entities, events.description AS e_description,
            events.parameters AS e_parameters, events.function AS e_function, events.duration_ms AS e_duration_ms,
            events.request_id AS e_request_id, events.status AS e_status, events.error_message AS e_error_message,
            events.error_stack_trace AS e_error_stack_trace, events.error_hash AS e_error_hash, events.node AS e_node,
            events.node_type AS e_node_type, arrayEnumerate(events.id) AS place
    )
)

-- name: survey
-- Ids of version 7 and 8 begin with their time: those in the table that are alike lie in few granules.
SELECT
    count(), uniqExact(id), countIf(NOT by_time),
    UUIDNumToString(minIf(number, by_time)), UUIDNumToString(maxIf(number, by_time)),
    countIf(length(things) > 1), countIf(NOT empty(things)), countIf(session IS NOT NULL),
    countIf(user IS NOT NULL OR acting_for IS NOT NULL), (SELECT sum(length(rejects)) FROM frames)
FROM (
    SELECT
        id, things, session, user, acting_for, UUIDToNum(id) AS number,
        substring(toString(id), 15, 1) IN ('7', '8') AS by_time
    FROM incoming
)

-- name: make_once
-- Of events with one id the first counts.
CREATE OR REPLACE TEMPORARY TABLE once ENGINE = Memory AS SELECT * FROM incoming ORDER BY seq LIMIT 1 BY id

-- name: make_known
-- An event of an earlier try, which died before its position was noted, is the write's own.
CREATE OR REPLACE TEMPORARY TABLE known ENGINE = Memory AS
SELECT id, (receiver, seq) IN (SELECT receiver, seq FROM {rows}) AS is_own FROM events
WHERE {span} id IN (SELECT id FROM {rows})

-- name: fresh
SELECT
    hex(groupBitXorIf(cityHash64(id), id NOT IN (SELECT id FROM known))), countIf(id NOT IN (SELECT id FROM known)),
    (SELECT uniqExactIf(id, is_own) FROM known), (SELECT uniqExact(id) FROM known)
FROM {rows}

-- name: add_events
INSERT INTO events ({columns})
SELECT {columns} FROM {rows} WHERE id NOT IN (SELECT id FROM known) AND {in_turn}

-- name: add_entities
-- What an earlier try has added is not added again.
INSERT INTO event_entities (event_id, time, type, id, role, name, level)
SELECT event_id, time, thing.type, thing.id, thing.role, thing.name, level
FROM (
    SELECT id AS event_id, time, level, things FROM {rows}
    WHERE length(things) > 1 AND id NOT IN (SELECT id FROM known WHERE NOT is_own)
)
ARRAY JOIN arraySlice(things, 2) AS thing
WHERE event_id NOT IN (
    SELECT event_id FROM event_entities WHERE event_id IN (SELECT id FROM known WHERE is_own)
) AND {in_turn}

-- name: make_rejects
-- What an earlier try has kept is not kept again, nor is a line of a file that was read before.
CREATE OR REPLACE TEMPORARY TABLE turned_away ENGINE = Memory AS
SELECT * FROM (
    SELECT
        received_at, receiver, seq, reject.index AS "index", reject.code AS code, reject.message AS message,
        reject.line AS line, reject.source AS source, reject.raw AS raw,
        coalesce(reject.raw_encoding, 'utf-8') AS raw_encoding, reject.raw_size_bytes AS raw_size_bytes,
        coalesce(format, 'native') AS format, key_id, orig_address, reject.id AS id
    FROM frames
    ARRAY JOIN rejects AS reject
)
WHERE (receiver, seq, "index", received_at, cityHash64(message, ifNull(line, -1))) NOT IN (
    SELECT receiver, seq, "index", received_at, cityHash64(message, ifNull(line, -1)) FROM rejected_events
    WHERE (receiver, seq) IN (SELECT receiver, seq FROM frames)
) AND (id IS NULL OR id NOT IN (
    SELECT assumeNotNull(id) FROM rejected_events WHERE id IN (SELECT arrayJoin(rejects).id FROM frames)
))
ORDER BY seq
LIMIT 1 BY coalesce(id, toString(generateUUIDv4()))

-- name: count_rejects
SELECT count() FROM turned_away

-- name: add_rejects
INSERT INTO rejected_events SELECT * FROM turned_away WHERE {in_turn}

-- name: users
SELECT login, min(first), max(last) FROM (
    SELECT user AS login, min(time) AS first, max(time) AS last
    FROM {mine} WHERE user IS NOT NULL GROUP BY user
    UNION ALL
    SELECT acting_for, min(time), max(time)
    FROM {mine} WHERE acting_for IS NOT NULL GROUP BY acting_for
) GROUP BY login

-- name: sessions
SELECT
    toString(session), min(time), max(time),
    argMinIf(user, time, user IS NOT NULL), argMinIf(orig_address, time, orig_address IS NOT NULL), argMin(source, time)
FROM {mine} WHERE session IS NOT NULL GROUP BY session

-- name: entities
-- Each name of a thing by itself: it keeps all of them.
SELECT thing.type, thing.id, min(time), max(time), thing.name
FROM {mine} ARRAY JOIN things AS thing
GROUP BY thing.type, thing.id, thing.name

-- name: mine
(SELECT * FROM {rows} WHERE id NOT IN (SELECT id FROM known WHERE NOT is_own))
