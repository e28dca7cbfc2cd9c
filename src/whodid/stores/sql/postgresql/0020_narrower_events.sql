-- What is said twice of an event, or is the same of nearly all, is not written: its project is worked out of it when it
-- is asked for, which takes no longer than to reach its last column; a format or origin that is NULL is the usual one.
CREATE FUNCTION whodid.project_of(parameters jsonb, entities jsonb, entity_type text, entity_id text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $project$
    SELECT coalesce(
        parameters ->> 'projectKey',
        parameters ->> 'project',
        CASE
            WHEN entities IS NOT NULL
            THEN jsonb_path_query_first(entities, '$[*] ? (@.type == "project").id') #>> '{}'
            WHEN entity_type = 'project' THEN entity_id
        END
    )
$project$;

ALTER TABLE public.events ALTER COLUMN format DROP NOT NULL, ALTER COLUMN origin DROP NOT NULL;
COMMENT ON COLUMN public.events.format IS 'NULL stands for native';
COMMENT ON COLUMN public.events.origin IS 'client or server; NULL stands for client';

CREATE OR REPLACE VIEW whodid.events AS
SELECT
    id, event_time AS time, received_at, type, source AS level, topic, routing_key,
    coalesce(origin, 'client') AS source,
    session_id AS session, "user", acting_for, via, entity_type, entity_id, entity_name,
    CASE
        WHEN entities IS NOT NULL THEN entities
        WHEN entity_type IS NULL THEN '[]'::jsonb
        ELSE jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
            'role', entity_role, 'type', entity_type, 'id', entity_id, 'name', entity_name
        )))
    END AS entities,
    description, parameters, function, duration_ms, request_id, status, error_message, error_stack_trace, error_hash,
    node, node_type, orig_address, key_id, coalesce(format, 'native') AS format, receiver, seq,
    event_time, session_id, event_type_id, friendly_name, is_error, comment, run_number, options, exported_by,
    whodid.project_of(parameters, entities, entity_type, entity_id) AS project
FROM public.events;

-- Whatever counts events asks for both in these words.
DO $do$
DECLARE
    project text := 'whodid.project_of(e.parameters, e.entities, e.entity_type, e.entity_id)';
    counting regprocedure;
BEGIN
    FOREACH counting IN ARRAY ARRAY['whodid.count_added()', 'whodid.count_removed()']::regprocedure[] LOOP
        EXECUTE replace(
            replace(pg_get_functiondef(counting), 'e.project', project || ' AS project'),
            'e.origin', 'coalesce(e.origin, ''client'')'
        );
    END LOOP;
    EXECUTE replace(pg_get_functiondef('whodid.waiting_of(public.events)'::regprocedure), 'e.project', project);
    EXECUTE 'CREATE OR REPLACE VIEW whodid.entity_hours AS '
        || replace(pg_get_viewdef('whodid.entity_hours'), 'e.project', project);
END
$do$;

ALTER TABLE public.events DROP COLUMN project;
