-- In DSS a person's own action is one from the browser that belongs to neither a scenario nor a job. A project whose name
-- is empty is none. Hours in which either makes a difference are counted anew.
CREATE FUNCTION whodid.is_by_hand(via text, format text, node_type text, parameters jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $own$
    SELECT via IS NULL AND CASE
        WHEN format LIKE 'dss%' OR node_type IN ('design', 'automation')
        THEN coalesce(parameters ->> 'authSource', 'USER_FROM_UI') = 'USER_FROM_UI'
            AND coalesce(parameters ->> 'scenarioId', '') = '' AND coalesce(parameters ->> 'jobId', '') = ''
        ELSE TRUE
    END
$own$;

CREATE OR REPLACE FUNCTION whodid.project_of(parameters jsonb, entities jsonb, entity_type text, entity_id text)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $project$
    SELECT coalesce(
        nullif(parameters ->> 'projectKey', ''),
        nullif(parameters ->> 'project', ''),
        CASE
            WHEN entities IS NOT NULL
            THEN jsonb_path_query_first(entities, '$[*] ? (@.type == "project").id') #>> '{}'
            WHEN entity_type = 'project' THEN entity_id
        END
    )
$project$;

DO $do$
BEGIN
    EXECUTE regexp_replace(
        pg_get_functiondef('whodid.waiting_of(public.events)'::regprocedure),
        'e\.via IS NULL AND coalesce\(.*?''USER_FROM_UI''\s*\) = ''USER_FROM_UI''',
        'whodid.is_by_hand(e.via, e.format, e.node_type, e.parameters)'
    );
END
$do$;

CREATE OR REPLACE VIEW whodid.further_hours AS
SELECT
    date_trunc('hour', x.time) AS hour, e."user", e.acting_for, coalesce(e.acting_for, e."user") AS person,
    CASE WHEN NOT whodid.is_program(coalesce(e.acting_for, e."user")) THEN coalesce(e.acting_for, e."user") END AS who,
    e.type, e.source AS level, e.topic, e.function,
    whodid.project_of(e.parameters, e.entities, e.entity_type, e.entity_id) AS project, e.node, e.node_type,
    e.via IS NOT NULL AS has_via,
    whodid.is_by_hand(e.via, e.format, e.node_type, e.parameters) AS by_hand,
    e.parameters ->> 'package' AS package,
    CASE WHEN e.parameters ->> 'package' IS NOT NULL THEN e.parameters ->> 'version' END AS version,
    whodid.verb_of(e.type, e.source = 'error' OR e.error_message IS NOT NULL, e.duration_ms IS NOT NULL) AS verb,
    x.type AS entity_type, x.id AS entity_id, x.name AS entity_name, 1 AS events,
    CASE WHEN whodid.is_use(e.source, e.topic) THEN 1 ELSE 0 END AS uses,
    CASE WHEN e.duration_ms IS NOT NULL THEN 1 ELSE 0 END AS runs,
    CASE WHEN e.source = 'error' OR e.error_message IS NOT NULL THEN 1 ELSE 0 END AS errors,
    CASE
        WHEN e.source = 'error' OR e.error_message IS NOT NULL OR coalesce(e.status = 'failed', false) THEN 1 ELSE 0
    END AS failed,
    whodid.number_of(e.parameters ->> 'rows') AS row_count, e.event_time AS first, e.event_time AS last
FROM (
    SELECT event_id, time, type, id, min(name) AS name FROM whodid.event_entities GROUP BY 1, 2, 3, 4
) x
JOIN public.events e ON e.event_time = x.time AND e.id = x.event_id
WHERE e.entity_type <> x.type OR e.entity_id <> x.id;

UPDATE public.events
SET type = type
WHERE
    parameters ->> 'projectKey' = '' OR parameters ->> 'project' = '' OR (
        (format LIKE 'dss%' OR node_type IN ('design', 'automation')) AND via IS NULL
        AND NOT whodid.is_by_hand(via, format, node_type, parameters)
        AND coalesce(parameters ->> 'authSource', 'USER_FROM_UI') = 'USER_FROM_UI'
    );
