-- Queries of API nodes by the hour, with lists of how long they took: a hundredth of their rows. Lists are in order, which
-- makes percentiles of many of them a third of the work. What a query told waits with the rest.
SELECT whodid.merge_hours(0);
SET LOCAL work_mem = '256MB';

CREATE TABLE whodid.kept_query_hours (
    hour timestamp NOT NULL,
    first timestamp NOT NULL,
    last timestamp NOT NULL,
    events int NOT NULL,
    is_program boolean NOT NULL,
    has_failed boolean NOT NULL,
    service text NOT NULL,
    endpoint text NOT NULL,
    version text,
    caller text,
    node text,
    type text NOT NULL,
    level text NOT NULL,
    topic text NOT NULL,
    "user" text,
    acting_for text,
    project text,
    entity_type text,
    entity_id text,
    durations double precision[]
);
COMMENT ON COLUMN whodid.kept_query_hours.durations IS 'of the queries that tell how long they took, in order';
INSERT INTO whodid.kept_query_hours (
    hour, is_program, has_failed, service, endpoint, version, caller, node, type, level, topic, "user", acting_for,
    project, entity_type, entity_id, events, first, last, durations
)
SELECT
    date_trunc('hour', time), is_program, has_failed, service, endpoint, coalesce(told_version, context_version), caller,
    node, type, level, topic, "user", acting_for, project, entity_type, entity_id, count(*), min(time), max(time),
    array_agg(duration_ms ORDER BY duration_ms) FILTER (WHERE duration_ms IS NOT NULL)
FROM whodid.kept_query_events
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
ORDER BY 1;
CREATE INDEX kept_query_hours_hour ON whodid.kept_query_hours USING brin (hour) WITH (pages_per_range = 16);
ANALYZE whodid.kept_query_hours;

CREATE TYPE whodid.told_query AS (
    duration_ms double precision,
    has_failed boolean,
    service text,
    endpoint text,
    version text,
    caller text
);
ALTER TYPE whodid.waiting_event ADD ATTRIBUTE query whodid.told_query;
CREATE OR REPLACE VIEW whodid.waiting_events AS
SELECT w.*
FROM (
    SELECT l.events FROM whodid.waiting_lists l CROSS JOIN LATERAL generate_series(l.size, l.size) OFFSET 0
) lists
CROSS JOIN LATERAL unnest(lists.events) AS w;

CREATE VIEW whodid.query_hours AS
SELECT
    hour, "user", acting_for, coalesce(acting_for, "user") AS person,
    CASE WHEN NOT is_program THEN coalesce(acting_for, "user") END AS who, type, level, topic, project, entity_type,
    entity_id, service, endpoint, version, caller, node, events, CASE WHEN has_failed THEN events ELSE 0 END AS failed,
    durations, first, last
FROM (
    SELECT
        hour, "user", acting_for, is_program, type, level, topic, project, entity_type, entity_id, service, endpoint,
        version, caller, node, events, has_failed, durations, first, last
    FROM whodid.kept_query_hours
    UNION ALL
    SELECT
        date_trunc('hour', time), "user", acting_for, is_program, type, level, topic, project, entity_type, entity_id,
        (query).service, (query).endpoint, (query).version, (query).caller, node, 1, (query).has_failed,
        ARRAY[(query).duration_ms], time, time
    FROM whodid.waiting_events
    WHERE (query).service IS NOT NULL
) counted;

-- The same for each thing that a query touched; few touch more than their service.
CREATE VIEW whodid.entity_query_hours AS
SELECT
    hour, "user", acting_for, person, who, type, level, topic, project, entity_type, entity_id, service, endpoint,
    version, caller, node, events, failed, durations, first, last
FROM whodid.query_hours
UNION ALL
SELECT
    date_trunc('hour', x.time), e."user", e.acting_for, e.person, e.who, e.type, e.level, e.topic, e.project, x.type,
    x.id, e.service, e.endpoint, e.version, e.caller, e.node, 1, e.has_failed::int,
    ARRAY[e.duration_ms], e.time, e.time
FROM (SELECT event_id, time, type, id FROM whodid.event_entities GROUP BY 1, 2, 3, 4) x
JOIN whodid.query_events e ON e.time = x.time AND e.id = x.event_id
WHERE e.entity_type <> x.type OR e.entity_id <> x.id;

-- Small writes leave short lists: where a key of some days has eight of them, they become one.
CREATE FUNCTION whodid.gather_queries(days timestamp[]) RETURNS void LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $gather$
    WITH gone AS (
        DELETE FROM whodid.kept_query_hours
        WHERE ctid = ANY(ARRAY(
            SELECT unnest(array_agg(ctid)) FROM whodid.kept_query_hours
            WHERE date_trunc('day', hour) = ANY(days)
            AND hour >= (SELECT min(day) FROM unnest(days) AS d (day))
            AND hour < (SELECT max(day) + INTERVAL '1 day' FROM unnest(days) AS d (day))
            AND events < 64
            GROUP BY
                hour, is_program, has_failed, service, endpoint, version, caller, node, type, level, topic, "user",
                acting_for, project, entity_type, entity_id
            HAVING count(*) >= 8
        ))
        RETURNING *
    )
    INSERT INTO whodid.kept_query_hours (
        hour, is_program, has_failed, service, endpoint, version, caller, node, type, level, topic, "user", acting_for,
        project, entity_type, entity_id, events, first, last, durations
    )
    SELECT
        hour, is_program, has_failed, service, endpoint, version, caller, node, type, level, topic, "user", acting_for,
        project, entity_type, entity_id, sum(events), min(first), max(last),
        (
            SELECT array_agg(duration_ms ORDER BY duration_ms)
            FROM unnest(array_agg(ROW(durations))) AS lists (durations double precision[])
            CROSS JOIN LATERAL unnest(lists.durations) AS told (duration_ms)
        )
    FROM gone
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
    ORDER BY 1;
$gather$;

DO $do$
BEGIN
    EXECUTE replace(
        pg_get_functiondef('whodid.waiting_of(public.events)'::regprocedure),
        ') AS whodid.waiting_event)',
        $added$, CASE
            WHEN e.topic = 'apinode-query' AND e.type <> 'ground-truth'
            THEN CAST(ROW(
                coalesce(
                    e.duration_ms, whodid.number_of(e.parameters #>> '{timing,total}'),
                    whodid.number_of(e.parameters ->> 'callTime')
                ),
                e.source = 'error' OR e.error_message IS NOT NULL OR coalesce(e.status IN ('failed', 'error'), false),
                coalesce(
                    e.parameters ->> 'serviceId', e.parameters ->> 'service',
                    CASE WHEN e.entity_type = 'api-service' THEN e.entity_id END, e.parameters ->> 'deploymentId',
                    'unknown'
                ),
                coalesce(e.parameters ->> 'endpointId', e.parameters ->> 'endpoint', e.function, e.type),
                coalesce(
                    e.parameters ->> 'version', e.parameters ->> 'generation', e.parameters ->> 'serviceGeneration',
                    e.parameters #>> '{context,version}'
                ),
                coalesce(e.parameters #>> '{context,caller}', e."user", e.parameters ->> 'apiKey')
            ) AS whodid.told_query)
        END
    ) AS whodid.waiting_event)$added$
    );
    EXECUTE replace(
        pg_get_functiondef('whodid.merge_hours(int)'::regprocedure),
        '    PERFORM whodid.make_days(',
        $added$    INSERT INTO whodid.kept_query_hours (
        hour, is_program, has_failed, service, endpoint, version, caller, node, type, level, topic, "user", acting_for,
        project, entity_type, entity_id, events, first, last, durations
    )
    SELECT
        date_trunc('hour', time), is_program, (query).has_failed, (query).service, (query).endpoint, (query).version,
        (query).caller, node, type, level, topic, "user", acting_for, project, entity_type, entity_id, count(*),
        min(time), max(time),
        array_agg((query).duration_ms ORDER BY (query).duration_ms) FILTER (WHERE (query).duration_ms IS NOT NULL)
    FROM counted_events
    WHERE (query).service IS NOT NULL
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
    ORDER BY 1;

    PERFORM whodid.make_days($added$
    );
    EXECUTE replace(
        pg_get_functiondef('whodid.make_days(timestamp[])'::regprocedure),
        'SELECT whodid.gather_runs(days);',
        E'SELECT whodid.gather_runs(days);\n    SELECT whodid.gather_queries(days);'
    );
    EXECUTE replace(
        pg_get_functiondef('whodid.count_removed()'::regprocedure),
        'DELETE FROM whodid.kept_user_hours',
        E'DELETE FROM whodid.kept_query_hours WHERE hour IN (SELECT hour FROM recounted_hours);\n'
        '        DELETE FROM whodid.kept_user_hours'
    );
    EXECUTE replace(
        pg_get_functiondef('whodid.count_emptied()'::regprocedure),
        'whodid.kept_user_hours,', 'whodid.kept_user_hours, whodid.kept_query_hours,'
    );
END
$do$;
