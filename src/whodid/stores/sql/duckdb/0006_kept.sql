-- What the store keeps beside its events for reports (`stores.base.KEPT`). For each relation: a view `told_…` of what it
-- makes of the events that wait to be counted (`uncounted_events`, replaced by every counting), a table `kept_…` of what
-- was counted, and a view of both under its own name.
DROP VIEW IF EXISTS event_hours;
DROP VIEW IF EXISTS session_hours;
DROP VIEW IF EXISTS uncounted_events;
DROP TABLE counted_events;
DROP TABLE counted_sessions;
UPDATE counted SET seq = -1;

CREATE MACRO who_of(person) AS CASE WHEN NOT (person LIKE 'api:%' OR person LIKE 'no:auth%') THEN person END;

CREATE MACRO number_of(told) AS CASE WHEN isfinite(TRY_CAST(told AS DOUBLE)) THEN TRY_CAST(told AS DOUBLE) END;

-- JSON that does not hold the name of a parameter need not be read; JSON may also write it with escapes.
CREATE MACRO may_tell(told, name) AS contains(told::VARCHAR, name) OR contains(told::VARCHAR, '\u');

CREATE MACRO verb_of(type, level, error_message, duration_ms) AS CASE
    WHEN level = 'error' OR error_message IS NOT NULL THEN 'failed'
    WHEN type LIKE '%delete%' OR type LIKE '%removed%' THEN 'deleted'
    WHEN type LIKE '%-create' OR type LIKE '%-created' OR type LIKE '%-create-%' THEN 'made'
    WHEN type LIKE '%share%' OR type LIKE '%publish%' OR type LIKE '%permission%' THEN 'shared'
    WHEN type LIKE '%export%' OR type LIKE '%download%' THEN 'exported'
    WHEN type LIKE '%-save%' OR type LIKE '%edit%' OR type LIKE '%-change%' OR type LIKE '%-update%'
        OR type LIKE '%rename%' OR type LIKE '%-set-%' THEN 'edited'
    WHEN type LIKE '%read%' OR type LIKE '%open%' OR type LIKE '%-view%' OR type LIKE '%-get-%' OR type LIKE '%-list%'
        THEN 'read'
    WHEN duration_ms IS NOT NULL OR type LIKE '%-start' OR type LIKE '%-run' OR type LIKE '%-build-%'
        OR type LIKE '%-trigger' THEN 'run'
    ELSE 'other'
END;

CREATE VIEW uncounted_events AS
SELECT *, coalesce(acting_for, "user") AS person, who_of(coalesce(acting_for, "user")) AS who FROM events WHERE FALSE;

-- Every event with what is summed by the hour.
CREATE VIEW told_events AS
SELECT
    date_trunc('hour', time) AS hour, session, "user", acting_for, person, who, type, level, topic, function, project,
    node, node_type, via, via IS NOT NULL AS has_via,
    via IS NULL AND coalesce(
        CASE
            WHEN (format LIKE 'dss%' OR node_type IN ('design', 'automation')) AND may_tell(parameters, 'authSource')
            THEN parameters ->> '/authSource'
        END,
        'USER_FROM_UI'
    ) = 'USER_FROM_UI' AS by_hand,
    CASE WHEN may_tell(parameters, 'package') THEN parameters ->> '/package' END AS package,
    CASE
        WHEN may_tell(parameters, 'package') AND (parameters ->> '/package') IS NOT NULL THEN parameters ->> '/version'
    END AS version,
    verb_of(type, level, error_message, duration_ms) AS verb,
    entity_type, entity_id, entity_name, entities,
    1::BIGINT AS events,
    (level IN ('audit', 'usage') AND topic NOT IN ('compute-resource-usage', 'authfail', 'generic-failure'))::BIGINT
        AS uses,
    (duration_ms IS NOT NULL)::BIGINT AS runs,
    (level = 'error' OR error_message IS NOT NULL)::BIGINT AS errors,
    (level = 'error' OR error_message IS NOT NULL OR coalesce(status = 'failed', FALSE))::BIGINT AS failed,
    CASE WHEN may_tell(parameters, 'rows') THEN number_of(parameters ->> '/rows') END AS row_count,
    time AS first, time AS last
FROM uncounted_events;

CREATE VIEW told_user_hours AS
SELECT hour, "user", acting_for, person, who, events, uses, runs, errors, failed, row_count, first, last FROM told_events;
CREATE TABLE kept_user_hours AS FROM told_user_hours;
CREATE VIEW user_hours AS FROM kept_user_hours UNION ALL FROM told_user_hours;

-- By the first thing that an event touched.
CREATE VIEW told_thing_hours AS
SELECT
    hour, "user", acting_for, person, who, type, level, topic, function, project, node, node_type, has_via, by_hand,
    package, version, verb, entity_type, entity_id, entity_name, events, uses, runs, errors, failed, row_count, first,
    last
FROM told_events;
CREATE TABLE kept_thing_hours AS FROM told_thing_hours;
CREATE VIEW thing_hours AS FROM kept_thing_hours UNION ALL FROM told_thing_hours;
CREATE VIEW event_hours AS
SELECT
    hour, "user", acting_for, person, who, type, level, topic, function, project, events, uses, runs, errors, failed,
    row_count, first, last
FROM thing_hours;

-- By each further thing that an event touched.
CREATE VIEW told_touched_hours AS
SELECT
    hour, "user", acting_for, person, who, type, level, topic, function, project, node, node_type, has_via, by_hand,
    package, version, verb, things[place][1] AS entity_type, things[place][2] AS entity_id,
    entities ->> ('$[' || (place - 1) || '].name') AS entity_name, events, uses, runs, errors, failed, row_count, first,
    last
FROM (
    SELECT *, unnest(range(2, len(things) + 1)) AS place
    FROM (
        SELECT *, list_zip(entities ->> '$[*].type', entities ->> '$[*].id') AS things
        FROM told_events
        WHERE json_array_length(entities) > 1
    )
)
WHERE list_position(things, things[place]) = place;
CREATE TABLE kept_touched_hours AS FROM told_touched_hours;
CREATE VIEW entity_hours AS FROM thing_hours UNION ALL FROM kept_touched_hours UNION ALL FROM told_touched_hours;

-- Which sessions, and who in them, had an event in an hour.
CREATE VIEW told_session_hours AS
SELECT hour, session, "user", acting_for, person, who, project FROM told_events WHERE session IS NOT NULL;
CREATE TABLE kept_session_hours AS FROM told_session_hours;
CREATE VIEW session_hours AS FROM kept_session_hours UNION ALL FROM told_session_hours;

-- What touched the same things in the same roles.
CREATE VIEW told_flow_hours AS
SELECT
    hour, "user", acting_for, person, who, level, type, function, via, entities::VARCHAR AS touched,
    contains(entities::VARCHAR, '"role"') AS has_roles, entity_type, entity_id, entity_name, events, uses, runs, errors,
    failed, row_count, first, last
FROM told_events
WHERE
    contains(entities::VARCHAR, '"role"') OR (
        via LIKE '_%:_%' AND entity_type = 'dataset' AND type IN (
            'flow-object-build-success', 'flow-object-build-failed', 'dataset-read-data', 'dataset-read-data-sample'
        )
    );
CREATE TABLE kept_flow_hours AS FROM told_flow_hours;
CREATE VIEW flow_hours AS FROM kept_flow_hours UNION ALL FROM told_flow_hours;

CREATE VIEW told_error_events AS
SELECT
    *,
    CASE WHEN has_trace
        THEN 'trace ' || left(regexp_replace(split_part(message, ':', 1), '[0-9]+', '#', 'g'), 60)
        ELSE type || ' ' || left(regexp_replace(message, '[0-9]+', '#', 'g'), 300)
    END AS shape
FROM (
    SELECT
        id, time, type, level, topic, "user", acting_for, person, who, project, entity_type, entity_id, source, session,
        request_id, error_hash,
        parameters ->> '/version' AS version,
        coalesce(error_message, description, '') AS message,
        coalesce(error_message, description) AS told,
        coalesce(error_stack_trace, '') <> '' AS has_trace,
        error_stack_trace
    FROM uncounted_events
    WHERE level = 'error' OR error_message IS NOT NULL
);
CREATE TABLE kept_error_events AS FROM told_error_events;
CREATE VIEW error_events AS FROM kept_error_events UNION ALL FROM told_error_events;

CREATE VIEW told_query_events AS
SELECT
    id, time, type, level, topic, "user", acting_for, person, who, project, entity_type, entity_id, request_id,
    coalesce(
        told[1], told[2], CASE WHEN entity_type = 'api-service' THEN entity_id END, told[3], 'unknown'
    ) AS service,
    coalesce(told[4], told[5], function, type) AS endpoint,
    coalesce(told[6], told[7], told[8], told[9]) AS version,
    coalesce(told[6], told[7], told[8]) AS told_version,
    coalesce(told[10], "user", told[11]) AS caller,
    node,
    coalesce(duration_ms, number_of(told[12]), number_of(told[13])) AS duration_ms,
    level = 'error' OR error_message IS NOT NULL OR coalesce(status IN ('failed', 'error'), FALSE) AS has_failed,
    ('0x' || right(id::VARCHAR, 6))::INTEGER / 16777216.0 AS chance
FROM (
    SELECT
        *,
        json_extract_string(
            parameters,
            [
                '/serviceId', '/service', '/deploymentId', '/endpointId', '/endpoint', '/version', '/generation',
                '/serviceGeneration', '/context/version', '/context/caller', '/apiKey', '/timing/total', '/callTime'
            ]
        ) AS told
    FROM uncounted_events
    WHERE topic = 'apinode-query' AND type <> 'ground-truth'
);
CREATE TABLE kept_query_events AS FROM told_query_events;
CREATE VIEW query_events AS FROM kept_query_events UNION ALL FROM told_query_events;

CREATE VIEW told_login_events AS
SELECT
    * EXCLUDE (login), coalesce(CASE WHEN has_failed THEN login END, person, login) AS account
FROM (
    SELECT
        id, time, type, level, topic, "user", acting_for, person, who, project, entity_type, entity_id,
        parameters ->> '/login' AS login,
        coalesce(parameters ->> '/originalIP', parameters ->> '/clientIP', parameters ->> '/ip', orig_address)
            AS address,
        type IN ('login-failure', 'user-login-failed', 'sign-in-failed', 'login-failed', 'impersonation-failed')
            AS has_failed
    FROM uncounted_events
    WHERE type IN (
        'login', 'login-success', 'user-logged-in', 'sign-in', 'logged-in', 'user-impersonated', 'login-failure',
        'user-login-failed', 'sign-in-failed', 'login-failed', 'impersonation-failed'
    )
);
CREATE TABLE kept_login_events AS FROM told_login_events;
CREATE VIEW login_events AS FROM kept_login_events UNION ALL FROM told_login_events;

CREATE VIEW told_item_events AS
SELECT
    * EXCLUDE (told),
    CASE
        WHEN type IN ('main-menu-item-click', 'menu click', 'menu-click', 'menu-item-click') THEN 'menu'
        WHEN type IN ('dialog show', 'dialog-show', 'dialog-shown') THEN 'dialog'
        ELSE type
    END AS kind,
    CASE
        WHEN type IN ('dialog show', 'dialog-show', 'dialog-shown') THEN coalesce(told[2], told[1], told[6])
        WHEN type = 'click' THEN coalesce(told[3], told[1], told[6])
        WHEN type = 'command' THEN coalesce(told[4], told[1], told[6])
        WHEN type = 'input' THEN coalesce(told[5], told[1], told[6])
        ELSE coalesce(told[1], told[6])
    END AS item
FROM (
    SELECT
        id, time, type, level, topic, "user", acting_for, person, who, project, entity_type, entity_id, session,
        request_id,
        json_extract_string(parameters, ['/item', '/dialog', '/target', '/command', '/input', '/name']) AS told
    FROM uncounted_events
    WHERE type IN (
        'main-menu-item-click', 'menu click', 'menu-click', 'menu-item-click', 'dialog show', 'dialog-show',
        'dialog-shown', 'command', 'input', 'click'
    )
);
CREATE TABLE kept_item_events AS FROM told_item_events;
CREATE VIEW item_events AS FROM kept_item_events UNION ALL FROM told_item_events;

CREATE VIEW told_usage_events AS
SELECT
    id, time, type, level, topic, "user", acting_for, person, who, project, entity_type, entity_id,
    u[1] AS usage,
    u[2] AS usage_kind,
    nullif(u[5], 'UNKNOWN') AS context_type,
    nullif(u[6], '') AS context_project,
    nullif(u[7], '') AS login,
    u[14] AS connection_usage,
    coalesce(u[15], u[16], u[23]) AS connection,
    u[22] AS model,
    coalesce(u[24], u[25]) AS execution,
    coalesce(entity_type || ':' || entity_id, u[6] || '.' || coalesce(u[26], u[27], u[28])) AS thing,
    coalesce(entity_name, u[26], u[27], u[28]) AS thing_name,
    greatest(coalesce(number_of(u[8]), 0), coalesce(number_of(u[9]), 0)) AS memory_mb_s,
    coalesce(number_of(u[10]), coalesce(number_of(u[11]), 0) + coalesce(number_of(u[12]), 0)) AS cpu_ms,
    coalesce(number_of(u[13]), 0) AS sql_ms,
    coalesce(number_of(u[17]), 0) AS llm_queries,
    coalesce(number_of(u[18]), 0) AS prompt_tokens,
    coalesce(number_of(u[19]), 0) AS completion_tokens,
    coalesce(number_of(u[20]), 0) AS llm_cost_usd,
    coalesce(number_of(u[21]), 0) AS cache_hits,
    greatest(0, coalesce(number_of(u[4]), extract(epoch FROM time) * 1000 - number_of(u[3]), 0)) AS running_ms
FROM (
    SELECT
        *,
        json_extract_string(parameters, [
            '/computeResourceUsage/id', '/computeResourceUsage/type', '/computeResourceUsage/startTime',
            '/computeResourceUsage/totalTime', '/computeResourceUsage/context/type',
            '/computeResourceUsage/context/projectKey', '/computeResourceUsage/context/authIdentifier',
            '/computeResourceUsage/localProcess/vmRSSTotalMBS', '/computeResourceUsage/localProcess/rssMBSeconds',
            '/computeResourceUsage/localProcess/cpuTotalMS', '/computeResourceUsage/localProcess/userTimeMS',
            '/computeResourceUsage/localProcess/systemTimeMS', '/computeResourceUsage/sqlQuery/statementExecutionTime',
            '/computeResourceUsage/sqlQuery/connectionUsageId', '/computeResourceUsage/sqlQuery/connection',
            '/computeResourceUsage/sqlConnection/connection', '/computeResourceUsage/llmUsage/totalQueries',
            '/computeResourceUsage/llmUsage/totalPromptTokens', '/computeResourceUsage/llmUsage/totalCompletionTokens',
            '/computeResourceUsage/llmUsage/estimatedCostUSD', '/computeResourceUsage/llmUsage/cacheHitQueries',
            '/computeResourceUsage/llmUsage/llmId', '/computeResourceUsage/llmUsage/connection',
            '/computeResourceUsage/singleK8SJob/executionId', '/computeResourceUsage/sparkK8SJob/executionId',
            '/computeResourceUsage/context/notebookName', '/computeResourceUsage/context/webappId',
            '/computeResourceUsage/context/jobId'
        ]) AS u
    FROM uncounted_events
    WHERE topic = 'compute-resource-usage' AND type LIKE 'compute-resource-usage-%'
)
WHERE u[1] IS NOT NULL;
CREATE TABLE kept_usage_events AS FROM told_usage_events;
CREATE VIEW usage_events AS FROM kept_usage_events UNION ALL FROM told_usage_events;

CREATE VIEW told_pod_events AS
SELECT
    id, time, type, level, topic, "user", acting_for, person, who, project, entity_type, entity_id, cluster,
    p IS NULL AS is_census,
    p[14] AS pod,
    p[13] AS namespace,
    p[6] AS phase,
    p[7] AS annotated_project,
    p[8] AS labelled_project,
    coalesce(p[9], p[10]) AS execution,
    coalesce(p[11], p[12]) AS login,
    number_of(p[1]) AS memory_mb,
    number_of(p[2]) AS memory_request_mb,
    coalesce(number_of(p[3]), number_of(p[4])) AS cpu_millis,
    number_of(p[5]) AS cpu_request_millis
FROM (
    SELECT
        * EXCLUDE (pod),
        CASE
            WHEN pod IS NOT NULL THEN json_extract_string(pod, [
                '/memoryMB', '/memoryRequestMB', '/cpuCurrentMillis', '/cpuMillis', '/cpuRequestMillis', '/phase',
                '/annotations/dataiku.com~1dku-project-key', '/labels/dataiku.com~1dku-project-key',
                '/annotations/dataiku.com~1dku-execution-id', '/labels/dataiku.com~1dku-execution-id',
                '/annotations/dataiku.com~1dku-exec-submitter', '/labels/dataiku.com~1dku-exec-submitter',
                '/namespace', '/name'
            ])
        END AS p
    FROM (
        SELECT
            id, time, type, level, topic, "user", acting_for, person, who, project, entity_type, entity_id,
            coalesce(parameters ->> '/clusterId', entity_id, '') AS cluster,
            unnest(
                [NULL::JSON] || CASE
                    WHEN json_type(json_extract(parameters, '/podsStatus/pods')) = 'ARRAY'
                    THEN json_extract(parameters, '/podsStatus/pods')::JSON[]
                    ELSE []
                END
            ) AS pod
        FROM uncounted_events
        WHERE topic = 'compute-resource-usage' AND type = 'kubernetes-cluster-usage-status'
    )
);
CREATE TABLE kept_pod_events AS FROM told_pod_events;
CREATE VIEW pod_events AS FROM kept_pod_events UNION ALL FROM told_pod_events;
