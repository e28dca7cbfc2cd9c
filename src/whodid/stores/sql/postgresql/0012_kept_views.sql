-- What was counted and what waits, under the names of `stores.base.KEPT`.

-- What waits, as what it adds to the sums of an hour.
CREATE VIEW whodid.waiting_hours AS
SELECT
    date_trunc('hour', time) AS hour, time AS first, time AS last, 1 AS events,
    CASE WHEN whodid.is_use(level, topic) THEN 1 ELSE 0 END AS uses, has_duration::int AS runs, is_error::int AS errors,
    has_failed::int AS failed, session, is_program, has_via, by_hand, type, level, topic,
    whodid.verb_of(type, is_error, has_duration) AS verb, "user", acting_for, function, project, entity_type, entity_id,
    entity_name, node, node_type, package, version, row_count
FROM whodid.waiting_events;

CREATE VIEW whodid.thing_hours AS
SELECT
    hour, "user", acting_for, coalesce(acting_for, "user") AS person,
    CASE WHEN NOT is_program THEN coalesce(acting_for, "user") END AS who, type, level, topic, function, project,
    node, node_type, has_via, by_hand, package, version, verb, entity_type, entity_id, entity_name,
    events, uses, runs, errors, failed, row_count, first, last
FROM (
    SELECT
        hour, first, last, events, uses, runs, errors, failed, is_program, has_via, by_hand, type, level, topic, verb,
        "user", acting_for, function, project, entity_type, entity_id, entity_name, node, node_type, package, version,
        row_count
    FROM whodid.kept_thing_hours
    UNION ALL
    SELECT
        hour, first, last, events, uses, runs, errors, failed, is_program, has_via, by_hand, type, level, topic, verb,
        "user", acting_for, function, project, entity_type, entity_id, entity_name, node, node_type, package, version,
        row_count
    FROM whodid.waiting_hours
) counted;

CREATE VIEW whodid.event_hours AS
SELECT
    hour, "user", acting_for, person, who, type, level, topic, function, project, events, uses, runs, errors, failed,
    row_count, first, last
FROM whodid.thing_hours;

CREATE VIEW whodid.user_hours AS
SELECT
    hour, "user", acting_for, coalesce(acting_for, "user") AS person,
    CASE WHEN NOT is_program THEN coalesce(acting_for, "user") END AS who,
    events, uses, runs, errors, failed, row_count, first, last
FROM (
    SELECT hour, "user", acting_for, is_program, events, uses, runs, errors, failed, row_count, first, last
    FROM whodid.kept_user_hours
    UNION ALL
    SELECT hour, "user", acting_for, is_program, events, uses, runs, errors, failed, row_count, first, last
    FROM whodid.waiting_hours
) counted;

CREATE VIEW whodid.user_days AS
SELECT
    day, "user", acting_for, coalesce(acting_for, "user") AS person,
    CASE WHEN NOT is_program THEN coalesce(acting_for, "user") END AS who,
    events, uses, runs, errors, failed, row_count, first, last
FROM (
    SELECT day, "user", acting_for, is_program, events, uses, runs, errors, failed, row_count, first, last
    FROM whodid.kept_user_days
    UNION ALL
    SELECT
        date_trunc('day', hour), "user", acting_for, is_program, events, uses, runs, errors, failed, row_count, first,
        last
    FROM whodid.waiting_hours
) counted;

CREATE VIEW whodid.session_hours AS
SELECT
    hour, session, "user", acting_for, coalesce(acting_for, "user") AS person,
    CASE WHEN NOT is_program THEN coalesce(acting_for, "user") END AS who, project
FROM (
    SELECT hour, session, "user", acting_for, is_program, project FROM whodid.kept_session_hours
    UNION ALL
    SELECT hour, session, "user", acting_for, is_program, project FROM whodid.waiting_hours WHERE session IS NOT NULL
) counted;

CREATE VIEW whodid.session_days AS
SELECT
    day, session, "user", acting_for, coalesce(acting_for, "user") AS person,
    CASE WHEN NOT is_program THEN coalesce(acting_for, "user") END AS who
FROM (
    SELECT day, session, "user", acting_for, is_program FROM whodid.kept_session_days
    UNION ALL
    SELECT date_trunc('day', hour), session, "user", acting_for, is_program
    FROM whodid.waiting_hours
    WHERE session IS NOT NULL
) counted;

CREATE VIEW whodid.error_events AS
SELECT
    id, time, type, level, topic, "user", acting_for, coalesce(acting_for, "user") AS person,
    CASE WHEN NOT is_program THEN coalesce(acting_for, "user") END AS who, project, entity_type, entity_id, source,
    session, request_id, error_hash, version, coalesce(told, '') AS message, told, has_trace, shape,
    (
        SELECT e.error_stack_trace FROM public.events e WHERE e.event_time = k.time AND e.id = k.id
    ) AS error_stack_trace
FROM whodid.kept_error_events k;

CREATE VIEW whodid.query_events AS
SELECT
    id, time, type, level, topic, "user", acting_for, coalesce(acting_for, "user") AS person,
    CASE WHEN NOT is_program THEN coalesce(acting_for, "user") END AS who, project, entity_type, entity_id, request_id,
    service, endpoint, coalesce(told_version, context_version) AS version, told_version, caller, node, duration_ms,
    has_failed,
    CAST(CAST(('x' || right(CAST(id AS text), 6)) AS bit(24)) AS integer) / CAST(16777216 AS double precision) AS chance
FROM whodid.kept_query_events;

CREATE VIEW whodid.login_events AS
SELECT
    id, time, type, level, topic, "user", acting_for, coalesce(acting_for, "user") AS person,
    CASE WHEN NOT is_program THEN coalesce(acting_for, "user") END AS who, project, entity_type, entity_id, account,
    address, has_failed
FROM whodid.kept_login_events;

CREATE VIEW whodid.item_events AS
SELECT
    id, time, type, level, topic, "user", acting_for, coalesce(acting_for, "user") AS person,
    CASE WHEN NOT is_program THEN coalesce(acting_for, "user") END AS who, project, entity_type, entity_id, session,
    request_id,
    CASE
        WHEN type IN ('main-menu-item-click', 'menu click', 'menu-click', 'menu-item-click') THEN 'menu'
        WHEN type IN ('dialog show', 'dialog-show', 'dialog-shown') THEN 'dialog'
        ELSE type
    END AS kind,
    item
FROM whodid.kept_item_events;

CREATE VIEW whodid.usage_events AS
SELECT
    id, time, type, level, topic, "user", acting_for, coalesce(acting_for, "user") AS person,
    CASE WHEN NOT is_program THEN coalesce(acting_for, "user") END AS who, project, entity_type, entity_id, usage,
    usage_kind, context_type, context_project, login, connection_usage, connection, model, execution, thing, thing_name,
    coalesce(memory_mb_s, 0) AS memory_mb_s, coalesce(cpu_ms, 0) AS cpu_ms, coalesce(sql_ms, 0) AS sql_ms,
    coalesce(llm_queries, 0) AS llm_queries, coalesce(prompt_tokens, 0) AS prompt_tokens,
    coalesce(completion_tokens, 0) AS completion_tokens, coalesce(llm_cost_usd, 0) AS llm_cost_usd,
    coalesce(cache_hits, 0) AS cache_hits, coalesce(running_ms, 0) AS running_ms
FROM whodid.kept_usage_events;

CREATE VIEW whodid.pod_events AS
SELECT
    id, time, type, level, topic, "user", acting_for, coalesce(acting_for, "user") AS person,
    CASE WHEN NOT is_program THEN coalesce(acting_for, "user") END AS who, project, entity_type, entity_id, cluster,
    is_census, pod, namespace, phase, annotated_project, labelled_project, execution, login, memory_mb,
    memory_request_mb, cpu_millis, cpu_request_millis
FROM whodid.kept_pod_events;
