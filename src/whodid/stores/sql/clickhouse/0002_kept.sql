-- What the store keeps beside its events for reports (`stores.base.KEPT`), by whole days of UTC. For each relation: a view
-- `told_…` of what it makes of events, and a table `kept_…` of what was counted of days; `counting` says by which
-- counting of a day, and is a partition of its own. A counting holds while `counted_days` names it as the day's last.

-- A row when a day is being counted, when that is done (`is_whole`), and when it has changed since (`counting` is 0).
-- The row with the highest number is what holds for a day.
CREATE TABLE IF NOT EXISTS counted_days{on_cluster} (
    day UInt32,
    number Int64,
    counting Int64,
    is_whole Bool,
    said_at DateTime64(6, 'UTC')
)
ENGINE = {shared:ReplacingMergeTree(number)}
ORDER BY day;

-- Every event with what is summed by the hour, and what reports ask of it besides.
CREATE OR REPLACE VIEW told_events{on_cluster} AS
SELECT
    e.*,
    CAST(coalesce(e.acting_for, e.user) AS LowCardinality(Nullable(String))) AS person,
    CAST(
        if(person LIKE 'api:%' OR person LIKE 'no:auth%', NULL, person) AS LowCardinality(Nullable(String))
    ) AS who,
    e.of_hour AS hour,
    CAST(e.via IS NOT NULL AS UInt8) AS has_via,
    CAST(e.via IS NULL AND coalesce(
        if(
            e.format LIKE 'dss%' OR e.node_type IN ('design', 'automation'),
            JSONExtract(e.parameters, 'authSource', 'Nullable(String)'), NULL
        ),
        'USER_FROM_UI'
    ) = 'USER_FROM_UI' AS UInt8) AS by_hand,
    position(e.parameters, 'package') > 0 OR position(e.parameters, '\\u') > 0 AS may_tell_package,
    CAST(
        if(may_tell_package, JSONExtract(e.parameters, 'package', 'Nullable(String)'), NULL)
        AS LowCardinality(Nullable(String))
    ) AS package,
    CAST(
        if(
            may_tell_package AND JSONExtract(e.parameters, 'package', 'Nullable(String)') IS NOT NULL,
            JSONExtract(e.parameters, 'version', 'Nullable(String)'), NULL
        ) AS LowCardinality(Nullable(String))
    ) AS version,
    CAST(multiIf(
        e.is_error, 'failed',
        e.type LIKE '%delete%' OR e.type LIKE '%removed%', 'deleted',
        e.type LIKE '%-create' OR e.type LIKE '%-created' OR e.type LIKE '%-create-%', 'made',
        e.type LIKE '%share%' OR e.type LIKE '%publish%' OR e.type LIKE '%permission%', 'shared',
        e.type LIKE '%export%' OR e.type LIKE '%download%', 'exported',
        e.type LIKE '%-save%' OR e.type LIKE '%edit%' OR e.type LIKE '%-change%' OR e.type LIKE '%-update%'
            OR e.type LIKE '%rename%' OR e.type LIKE '%-set-%', 'edited',
        e.type LIKE '%read%' OR e.type LIKE '%open%' OR e.type LIKE '%-view%' OR e.type LIKE '%-get-%'
            OR e.type LIKE '%-list%', 'read',
        e.is_run OR e.type LIKE '%-start' OR e.type LIKE '%-run' OR e.type LIKE '%-build-%'
            OR e.type LIKE '%-trigger', 'run',
        'other'
    ) AS LowCardinality(String)) AS verb,
    e.entities AS touched,
    position(e.entities, '"role"') > 0 AS has_roles,
    toInt64(1) AS events,
    toInt64(e.is_use) AS uses,
    toInt64(e.is_run) AS runs,
    toInt64(e.is_error) AS errors,
    toInt64(e.is_failure) AS failed,
    e.rows_told AS row_count,
    e.time AS first,
    e.time AS last
FROM events AS e;

CREATE OR REPLACE VIEW told_user_hours{on_cluster} AS
SELECT time, hour, user, acting_for, person, who, events, uses, runs, errors, failed, row_count, first, last
FROM told_events;

-- By the first thing that an event touched.
CREATE OR REPLACE VIEW told_thing_hours{on_cluster} AS
SELECT
    time, hour, user, acting_for, person, who, type, level, topic, function, project, node, node_type, has_via, by_hand,
    package, version, verb, entity_type, entity_id, entity_name, events, uses, runs, errors, failed, row_count, first,
    last
FROM told_events;

-- By each further thing that an event touched.
CREATE OR REPLACE VIEW told_touched_hours{on_cluster} AS
SELECT
    time, hour, user, acting_for, person, who, type, level, topic, function, project, node, node_type, has_via, by_hand,
    package, version, verb, CAST(things[place].1 AS LowCardinality(Nullable(String))) AS entity_type,
    CAST(things[place].2 AS Nullable(String)) AS entity_id, names[place] AS entity_name, events, uses, runs, errors,
    failed, row_count, first, last
FROM (
    SELECT
        *,
        JSONExtract(
            touched, 'Array(Tuple(role Nullable(String), type String, id String, name Nullable(String)))'
        ) AS found,
        arrayZip(found.type, found.id) AS things,
        found.name AS names
    FROM told_events
    WHERE touched != '[]'
)
ARRAY JOIN arrayFilter(place -> place > 1 AND indexOf(things, things[place]) = place, arrayEnumerate(things)) AS place;

-- Which sessions, and who in them, had an event in an hour.
CREATE OR REPLACE VIEW told_session_hours{on_cluster} AS
SELECT time, hour, session, user, acting_for, person, who, project FROM told_events WHERE session IS NOT NULL;

-- What touched the same things in the same roles.
CREATE OR REPLACE VIEW told_flow_hours{on_cluster} AS
SELECT
    time, hour, user, acting_for, person, who, level, type, function, via, touched, has_roles, entity_type, entity_id,
    entity_name, events, uses, runs, errors, failed, row_count, first, last
FROM told_events
WHERE has_roles OR (
    via LIKE '_%:_%' AND entity_type = 'dataset' AND type IN (
        'flow-object-build-success', 'flow-object-build-failed', 'dataset-read-data', 'dataset-read-data-sample'
    )
);

CREATE OR REPLACE VIEW told_error_events{on_cluster} AS
SELECT
    *,
    if(
        has_trace,
        concat('trace ', left(replaceRegexpAll(splitByChar(':', message)[1], '[0-9]+', '#'), 60)),
        concat(type, ' ', left(replaceRegexpAll(message, '[0-9]+', '#'), 300))
    ) AS shape
FROM (
    SELECT
        id, time, type, level, topic, user, acting_for, person, who, project, entity_type, entity_id, source, session,
        request_id, error_hash,
        CAST(JSONExtract(parameters, 'version', 'Nullable(String)') AS LowCardinality(Nullable(String))) AS version,
        coalesce(error_message, description, '') AS message,
        coalesce(error_message, description) AS told,
        coalesce(error_stack_trace, '') != '' AS has_trace,
        error_stack_trace
    FROM told_events
    WHERE level = 'error' OR error_message IS NOT NULL
);

CREATE OR REPLACE VIEW told_query_events{on_cluster} AS
SELECT
    id, time, type, level, topic, user, acting_for, person, who, project, entity_type, entity_id, request_id,
    CAST(coalesce(
        told[1], told[2], if(entity_type = 'api-service', entity_id, NULL), told[3], 'unknown'
    ) AS LowCardinality(String)) AS service,
    CAST(coalesce(told[4], told[5], function, type) AS LowCardinality(String)) AS endpoint,
    CAST(coalesce(told[6], told[7], told[8], told[9]) AS LowCardinality(Nullable(String))) AS version,
    CAST(coalesce(told[6], told[7], told[8]) AS LowCardinality(Nullable(String))) AS told_version,
    CAST(coalesce(told[10], user, told[11]) AS LowCardinality(Nullable(String))) AS caller,
    node,
    coalesce(
        duration_ms,
        if(isFinite(accurateCastOrNull(told[12], 'Float64')), accurateCastOrNull(told[12], 'Float64'), NULL),
        if(isFinite(accurateCastOrNull(told[13], 'Float64')), accurateCastOrNull(told[13], 'Float64'), NULL)
    ) AS duration_ms,
    errors = 1 OR coalesce(status IN ('failed', 'error'), false) AS has_failed,
    toInt64(reinterpretAsUInt64(reverse(unhex(right(toString(id), 6))))) / 16777216.0 AS chance
FROM (
    SELECT
        *,
        [
            JSONExtract(parameters, 'serviceId', 'Nullable(String)'),
            JSONExtract(parameters, 'service', 'Nullable(String)'),
            JSONExtract(parameters, 'deploymentId', 'Nullable(String)'),
            JSONExtract(parameters, 'endpointId', 'Nullable(String)'),
            JSONExtract(parameters, 'endpoint', 'Nullable(String)'),
            JSONExtract(parameters, 'version', 'Nullable(String)'),
            JSONExtract(parameters, 'generation', 'Nullable(String)'),
            JSONExtract(parameters, 'serviceGeneration', 'Nullable(String)'),
            JSONExtract(parameters, 'context', 'version', 'Nullable(String)'),
            JSONExtract(parameters, 'context', 'caller', 'Nullable(String)'),
            JSONExtract(parameters, 'apiKey', 'Nullable(String)'),
            JSONExtract(parameters, 'timing', 'total', 'Nullable(String)'),
            JSONExtract(parameters, 'callTime', 'Nullable(String)')
        ] AS told
    FROM told_events
    WHERE topic = 'apinode-query' AND type != 'ground-truth'
);

CREATE OR REPLACE VIEW told_login_events{on_cluster} AS
SELECT
    * EXCEPT (login),
    CAST(coalesce(if(has_failed, login, NULL), person, login) AS LowCardinality(Nullable(String))) AS account
FROM (
    SELECT
        id, time, type, level, topic, user, acting_for, person, who, project, entity_type, entity_id,
        JSONExtract(parameters, 'login', 'Nullable(String)') AS login,
        CAST(coalesce(
            JSONExtract(parameters, 'originalIP', 'Nullable(String)'),
            JSONExtract(parameters, 'clientIP', 'Nullable(String)'),
            JSONExtract(parameters, 'ip', 'Nullable(String)'),
            orig_address
        ) AS LowCardinality(Nullable(String))) AS address,
        CAST(type IN (
            'login-failure', 'user-login-failed', 'sign-in-failed', 'login-failed', 'impersonation-failed'
        ) AS UInt8) AS has_failed
    FROM told_events
    WHERE type IN (
        'login', 'login-success', 'user-logged-in', 'sign-in', 'logged-in', 'user-impersonated', 'login-failure',
        'user-login-failed', 'sign-in-failed', 'login-failed', 'impersonation-failed'
    )
);

CREATE OR REPLACE VIEW told_item_events{on_cluster} AS
SELECT
    * EXCEPT (told),
    CAST(multiIf(
        type IN ('main-menu-item-click', 'menu click', 'menu-click', 'menu-item-click'), 'menu',
        type IN ('dialog show', 'dialog-show', 'dialog-shown'), 'dialog',
        type
    ) AS LowCardinality(String)) AS kind,
    CAST(multiIf(
        type IN ('dialog show', 'dialog-show', 'dialog-shown'), coalesce(told[2], told[1], told[6]),
        type = 'click', coalesce(told[3], told[1], told[6]),
        type = 'command', coalesce(told[4], told[1], told[6]),
        type = 'input', coalesce(told[5], told[1], told[6]),
        coalesce(told[1], told[6])
    ) AS LowCardinality(Nullable(String))) AS item
FROM (
    SELECT
        id, time, type, level, topic, user, acting_for, person, who, project, entity_type, entity_id, session,
        request_id,
        [
            JSONExtract(parameters, 'item', 'Nullable(String)'),
            JSONExtract(parameters, 'dialog', 'Nullable(String)'),
            JSONExtract(parameters, 'target', 'Nullable(String)'),
            JSONExtract(parameters, 'command', 'Nullable(String)'),
            JSONExtract(parameters, 'input', 'Nullable(String)'),
            JSONExtract(parameters, 'name', 'Nullable(String)')
        ] AS told
    FROM told_events
    WHERE type IN (
        'main-menu-item-click', 'menu click', 'menu-click', 'menu-item-click', 'dialog show', 'dialog-show',
        'dialog-shown', 'command', 'input', 'click'
    )
);

CREATE OR REPLACE VIEW told_usage_events{on_cluster} AS
SELECT
    id, time, type, level, topic, user, acting_for, person, who, project, entity_type, entity_id,
    u[1] AS usage,
    CAST(u[2] AS LowCardinality(Nullable(String))) AS usage_kind,
    CAST(nullIf(u[5], 'UNKNOWN') AS LowCardinality(Nullable(String))) AS context_type,
    CAST(nullIf(u[6], '') AS LowCardinality(Nullable(String))) AS context_project,
    CAST(nullIf(u[7], '') AS LowCardinality(Nullable(String))) AS login,
    u[14] AS connection_usage,
    CAST(coalesce(u[15], u[16], u[23]) AS LowCardinality(Nullable(String))) AS connection,
    CAST(u[22] AS LowCardinality(Nullable(String))) AS model,
    coalesce(u[24], u[25]) AS execution,
    coalesce(concat(entity_type, ':', entity_id), concat(u[6], '.', coalesce(u[26], u[27], u[28]))) AS thing,
    coalesce(entity_name, u[26], u[27], u[28]) AS thing_name,
    greatest(coalesce(n[8], 0), coalesce(n[9], 0)) AS memory_mb_s,
    coalesce(n[10], coalesce(n[11], 0) + coalesce(n[12], 0)) AS cpu_ms,
    coalesce(n[13], 0) AS sql_ms,
    coalesce(n[17], 0) AS llm_queries,
    coalesce(n[18], 0) AS prompt_tokens,
    coalesce(n[19], 0) AS completion_tokens,
    coalesce(n[20], 0) AS llm_cost_usd,
    coalesce(n[21], 0) AS cache_hits,
    greatest(0, coalesce(n[4], toUnixTimestamp64Micro(time) / 1000000 * 1000 - n[3], 0)) AS running_ms
FROM (
    SELECT
        *,
        arrayMap(
            told -> if(isFinite(accurateCastOrNull(told, 'Float64')), accurateCastOrNull(told, 'Float64'), NULL), u
        ) AS n
    FROM (
        SELECT
            *,
            JSONExtractRaw(parameters, 'computeResourceUsage') AS used,
            [
                JSONExtract(used, 'id', 'Nullable(String)'),
                JSONExtract(used, 'type', 'Nullable(String)'),
                JSONExtract(used, 'startTime', 'Nullable(String)'),
                JSONExtract(used, 'totalTime', 'Nullable(String)'),
                JSONExtract(used, 'context', 'type', 'Nullable(String)'),
                JSONExtract(used, 'context', 'projectKey', 'Nullable(String)'),
                JSONExtract(used, 'context', 'authIdentifier', 'Nullable(String)'),
                JSONExtract(used, 'localProcess', 'vmRSSTotalMBS', 'Nullable(String)'),
                JSONExtract(used, 'localProcess', 'rssMBSeconds', 'Nullable(String)'),
                JSONExtract(used, 'localProcess', 'cpuTotalMS', 'Nullable(String)'),
                JSONExtract(used, 'localProcess', 'userTimeMS', 'Nullable(String)'),
                JSONExtract(used, 'localProcess', 'systemTimeMS', 'Nullable(String)'),
                JSONExtract(used, 'sqlQuery', 'statementExecutionTime', 'Nullable(String)'),
                JSONExtract(used, 'sqlQuery', 'connectionUsageId', 'Nullable(String)'),
                JSONExtract(used, 'sqlQuery', 'connection', 'Nullable(String)'),
                JSONExtract(used, 'sqlConnection', 'connection', 'Nullable(String)'),
                JSONExtract(used, 'llmUsage', 'totalQueries', 'Nullable(String)'),
                JSONExtract(used, 'llmUsage', 'totalPromptTokens', 'Nullable(String)'),
                JSONExtract(used, 'llmUsage', 'totalCompletionTokens', 'Nullable(String)'),
                JSONExtract(used, 'llmUsage', 'estimatedCostUSD', 'Nullable(String)'),
                JSONExtract(used, 'llmUsage', 'cacheHitQueries', 'Nullable(String)'),
                JSONExtract(used, 'llmUsage', 'llmId', 'Nullable(String)'),
                JSONExtract(used, 'llmUsage', 'connection', 'Nullable(String)'),
                JSONExtract(used, 'singleK8SJob', 'executionId', 'Nullable(String)'),
                JSONExtract(used, 'sparkK8SJob', 'executionId', 'Nullable(String)'),
                JSONExtract(used, 'context', 'notebookName', 'Nullable(String)'),
                JSONExtract(used, 'context', 'webappId', 'Nullable(String)'),
                JSONExtract(used, 'context', 'jobId', 'Nullable(String)')
            ] AS u
        FROM told_events
        WHERE topic = 'compute-resource-usage' AND type LIKE 'compute-resource-usage-%'
    )
)
WHERE u[1] IS NOT NULL;

CREATE OR REPLACE VIEW told_pod_events{on_cluster} AS
SELECT
    id, time, type, level, topic, user, acting_for, person, who, project, entity_type, entity_id, cluster,
    found = '' AS is_census,
    p[14] AS pod,
    CAST(p[13] AS LowCardinality(Nullable(String))) AS namespace,
    CAST(p[6] AS LowCardinality(Nullable(String))) AS phase,
    CAST(p[7] AS LowCardinality(Nullable(String))) AS annotated_project,
    CAST(p[8] AS LowCardinality(Nullable(String))) AS labelled_project,
    coalesce(p[9], p[10]) AS execution,
    CAST(coalesce(p[11], p[12]) AS LowCardinality(Nullable(String))) AS login,
    n[1] AS memory_mb,
    n[2] AS memory_request_mb,
    coalesce(n[3], n[4]) AS cpu_millis,
    n[5] AS cpu_request_millis
FROM (
    SELECT
        *,
        arrayMap(
            told -> if(isFinite(accurateCastOrNull(told, 'Float64')), accurateCastOrNull(told, 'Float64'), NULL),
            arraySlice(p, 1, 5)
        ) AS n
    FROM (
        SELECT
            *,
            [
                JSONExtract(found, 'memoryMB', 'Nullable(String)'),
                JSONExtract(found, 'memoryRequestMB', 'Nullable(String)'),
                JSONExtract(found, 'cpuCurrentMillis', 'Nullable(String)'),
                JSONExtract(found, 'cpuMillis', 'Nullable(String)'),
                JSONExtract(found, 'cpuRequestMillis', 'Nullable(String)'),
                JSONExtract(found, 'phase', 'Nullable(String)'),
                JSONExtract(found, 'annotations', 'dataiku.com/dku-project-key', 'Nullable(String)'),
                JSONExtract(found, 'labels', 'dataiku.com/dku-project-key', 'Nullable(String)'),
                JSONExtract(found, 'annotations', 'dataiku.com/dku-execution-id', 'Nullable(String)'),
                JSONExtract(found, 'labels', 'dataiku.com/dku-execution-id', 'Nullable(String)'),
                JSONExtract(found, 'annotations', 'dataiku.com/dku-exec-submitter', 'Nullable(String)'),
                JSONExtract(found, 'labels', 'dataiku.com/dku-exec-submitter', 'Nullable(String)'),
                JSONExtract(found, 'namespace', 'Nullable(String)'),
                JSONExtract(found, 'name', 'Nullable(String)')
            ] AS p
        FROM (
            SELECT
                id, time, type, level, topic, user, acting_for, person, who, project, entity_type, entity_id,
                CAST(
                    coalesce(JSONExtract(parameters, 'clusterId', 'Nullable(String)'), entity_id, '')
                    AS LowCardinality(String)
                ) AS cluster,
                arrayJoin(arrayConcat([''], JSONExtractArrayRaw(parameters, 'podsStatus', 'pods'))) AS found
            FROM told_events
            WHERE topic = 'compute-resource-usage' AND type = 'kubernetes-cluster-usage-status'
        )
    )
);

-- What was counted.

CREATE TABLE IF NOT EXISTS kept_user_hours{local}{on_cluster}
ENGINE = {sharded}MergeTree PARTITION BY counting ORDER BY (hour, user) SETTINGS allow_nullable_key = 1
EMPTY AS SELECT toInt64(0) AS counting, * EXCEPT (time) FROM told_user_hours;

CREATE TABLE IF NOT EXISTS kept_thing_hours{local}{on_cluster}
ENGINE = {sharded}MergeTree PARTITION BY counting ORDER BY (hour, type, user) SETTINGS allow_nullable_key = 1
EMPTY AS SELECT toInt64(0) AS counting, * EXCEPT (time) FROM told_thing_hours;

CREATE TABLE IF NOT EXISTS kept_touched_hours{local}{on_cluster}
ENGINE = {sharded}MergeTree PARTITION BY counting ORDER BY (hour, type, user) SETTINGS allow_nullable_key = 1
EMPTY AS SELECT toInt64(0) AS counting, * EXCEPT (time) FROM told_touched_hours;

CREATE TABLE IF NOT EXISTS kept_session_hours{local}{on_cluster}
ENGINE = {sharded}MergeTree PARTITION BY counting ORDER BY (hour, user) SETTINGS allow_nullable_key = 1
EMPTY AS SELECT toInt64(0) AS counting, * EXCEPT (time) FROM told_session_hours;

CREATE TABLE IF NOT EXISTS kept_flow_hours{local}{on_cluster}
ENGINE = {sharded}MergeTree PARTITION BY counting ORDER BY (hour, type, user) SETTINGS allow_nullable_key = 1
EMPTY AS SELECT toInt64(0) AS counting, * EXCEPT (time) FROM told_flow_hours;

CREATE TABLE IF NOT EXISTS kept_error_events{local}{on_cluster}
ENGINE = {sharded}MergeTree PARTITION BY counting ORDER BY time
EMPTY AS SELECT toInt64(0) AS counting, * FROM told_error_events;

CREATE TABLE IF NOT EXISTS kept_query_events{local}{on_cluster}
ENGINE = {sharded}MergeTree PARTITION BY counting ORDER BY time
EMPTY AS SELECT toInt64(0) AS counting, * FROM told_query_events;

CREATE TABLE IF NOT EXISTS kept_login_events{local}{on_cluster}
ENGINE = {sharded}MergeTree PARTITION BY counting ORDER BY time
EMPTY AS SELECT toInt64(0) AS counting, * FROM told_login_events;

CREATE TABLE IF NOT EXISTS kept_item_events{local}{on_cluster}
ENGINE = {sharded}MergeTree PARTITION BY counting ORDER BY time
EMPTY AS SELECT toInt64(0) AS counting, * FROM told_item_events;

CREATE TABLE IF NOT EXISTS kept_usage_events{local}{on_cluster}
ENGINE = {sharded}MergeTree PARTITION BY counting ORDER BY time
EMPTY AS SELECT toInt64(0) AS counting, * FROM told_usage_events;

CREATE TABLE IF NOT EXISTS kept_pod_events{local}{on_cluster}
ENGINE = {sharded}MergeTree PARTITION BY counting ORDER BY time
EMPTY AS SELECT toInt64(0) AS counting, * FROM told_pod_events;

CREATE TABLE IF NOT EXISTS kept_user_days{local}{on_cluster}
ENGINE = {sharded}MergeTree PARTITION BY counting ORDER BY (day, user) SETTINGS allow_nullable_key = 1
EMPTY AS SELECT toInt64(0) AS counting, hour AS day, * EXCEPT (time, hour) FROM told_user_hours;

CREATE TABLE IF NOT EXISTS kept_thing_days{local}{on_cluster}
ENGINE = {sharded}MergeTree PARTITION BY counting ORDER BY (day, type, user) SETTINGS allow_nullable_key = 1
EMPTY AS SELECT toInt64(0) AS counting, hour AS day, * EXCEPT (time, hour) FROM told_thing_hours;

CREATE TABLE IF NOT EXISTS kept_touched_days{local}{on_cluster}
ENGINE = {sharded}MergeTree PARTITION BY counting ORDER BY (day, type, user) SETTINGS allow_nullable_key = 1
EMPTY AS SELECT toInt64(0) AS counting, hour AS day, * EXCEPT (time, hour) FROM told_touched_hours;

CREATE TABLE IF NOT EXISTS kept_session_days{local}{on_cluster}
ENGINE = {sharded}MergeTree PARTITION BY counting ORDER BY (day, user) SETTINGS allow_nullable_key = 1
EMPTY AS SELECT toInt64(0) AS counting, hour AS day, * EXCEPT (time, hour, project) FROM told_session_hours;

-- {distributed kept_user_hours rand()}
-- {distributed kept_thing_hours rand()}
-- {distributed kept_touched_hours rand()}
-- {distributed kept_session_hours rand()}
-- {distributed kept_flow_hours rand()}
-- {distributed kept_error_events rand()}
-- {distributed kept_query_events rand()}
-- {distributed kept_login_events rand()}
-- {distributed kept_item_events rand()}
-- {distributed kept_usage_events rand()}
-- {distributed kept_pod_events rand()}
-- {distributed kept_user_days rand()}
-- {distributed kept_thing_days rand()}
-- {distributed kept_touched_days rand()}
-- {distributed kept_session_days rand()}

-- Relations that lie in the tables of others.
CREATE OR REPLACE VIEW told_event_hours{on_cluster} AS SELECT * FROM told_thing_hours;
CREATE OR REPLACE VIEW told_entity_hours{on_cluster} AS
SELECT * FROM told_thing_hours UNION ALL SELECT * FROM told_touched_hours;
CREATE OR REPLACE VIEW kept_event_hours{on_cluster} AS SELECT * FROM kept_thing_hours;
CREATE OR REPLACE VIEW kept_event_days{on_cluster} AS SELECT * FROM kept_thing_days;
CREATE OR REPLACE VIEW kept_entity_hours{on_cluster} AS
SELECT * FROM kept_thing_hours UNION ALL SELECT * FROM kept_touched_hours;
CREATE OR REPLACE VIEW kept_entity_days{on_cluster} AS
SELECT * FROM kept_thing_days UNION ALL SELECT * FROM kept_touched_days;
