-- The project of an event as a column: every report by project would read the JSON of each event for it. The one that
-- its parameters name, else its first entity of that type. Events that are there are rewritten.
ALTER TABLE public.events ADD COLUMN project text GENERATED ALWAYS AS (
    coalesce(
        parameters ->> 'projectKey',
        parameters ->> 'project',
        CASE
            WHEN entities IS NOT NULL
            THEN jsonb_path_query_first(entities, '$[*] ? (@.type == "project").id') #>> '{}'
            WHEN entity_type = 'project' THEN entity_id
        END
    )
) STORED;

CREATE OR REPLACE VIEW whodid.events AS
SELECT
    id, event_time AS time, received_at, type, source AS level, topic, routing_key, origin AS source,
    session_id AS session, "user", acting_for, via, entity_type, entity_id, entity_name,
    CASE
        WHEN entities IS NOT NULL THEN entities
        WHEN entity_type IS NULL THEN '[]'::jsonb
        ELSE jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
            'role', entity_role, 'type', entity_type, 'id', entity_id, 'name', entity_name
        )))
    END AS entities,
    description, parameters, function, duration_ms, request_id, status, error_message, error_stack_trace, error_hash,
    node, node_type, orig_address, key_id, format, receiver, seq,
    event_time, session_id, event_type_id, friendly_name, is_error, comment, run_number, options, exported_by, project
FROM public.events;
