-- In DSS a person's own action is one from the browser that belongs to neither a scenario nor a job. A project whose name
-- is empty is none. Where either makes a difference everything is counted anew.
CREATE OR REPLACE MACRO is_by_hand(via, format, node_type, told) AS via IS NULL AND CASE
    WHEN format LIKE 'dss%' OR node_type IN ('design', 'automation')
    THEN coalesce(CASE WHEN may_tell(told, 'authSource') THEN told ->> '/authSource' END, 'USER_FROM_UI') = 'USER_FROM_UI'
        AND coalesce(CASE WHEN may_tell(told, 'scenarioId') THEN told ->> '/scenarioId' END, '') = ''
        AND coalesce(CASE WHEN may_tell(told, 'jobId') THEN told ->> '/jobId' END, '') = ''
    ELSE TRUE
END;

CREATE OR REPLACE MACRO project_of(told, touched) AS coalesce(
    CASE
        WHEN contains(told::VARCHAR, 'project') OR contains(told::VARCHAR, '\u')
        THEN coalesce(nullif(told ->> '/projectKey', ''), nullif(told ->> '/project', ''))
    END,
    CASE
        WHEN contains(touched::VARCHAR, 'project') OR contains(touched::VARCHAR, '\u')
        THEN (touched ->> '$[*].id')[list_position(touched ->> '$[*].type', 'project')]
    END
);

CREATE OR REPLACE VIEW told_events AS
SELECT
    date_trunc('hour', time) AS hour, session, "user", acting_for, person, who, type, level, topic, function, project,
    node, node_type, via, via IS NOT NULL AS has_via, is_by_hand(via, format, node_type, parameters) AS by_hand,
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

CREATE TEMPORARY TABLE told_otherwise AS
SELECT 1
FROM events
WHERE
    project = '' OR (
        (format LIKE 'dss%' OR node_type IN ('design', 'automation')) AND via IS NULL
        AND NOT is_by_hand(via, format, node_type, parameters)
        AND coalesce(parameters ->> '/authSource', 'USER_FROM_UI') = 'USER_FROM_UI'
    )
LIMIT 1;

UPDATE events SET project = project_of(parameters, entities) WHERE project = '';
UPDATE counted SET seq = -1 WHERE EXISTS (FROM told_otherwise);
UPDATE pods_closed SET until = '-infinity' WHERE EXISTS (FROM told_otherwise);
DELETE FROM kept_thing_hours WHERE EXISTS (FROM told_otherwise);
DELETE FROM kept_touched_hours WHERE EXISTS (FROM told_otherwise);
DELETE FROM kept_user_hours WHERE EXISTS (FROM told_otherwise);
DELETE FROM kept_flow_hours WHERE EXISTS (FROM told_otherwise);
DELETE FROM kept_run_hours WHERE EXISTS (FROM told_otherwise);
DELETE FROM kept_session_hours WHERE EXISTS (FROM told_otherwise);
DELETE FROM kept_usage_hours WHERE EXISTS (FROM told_otherwise);
DELETE FROM kept_thing_days WHERE EXISTS (FROM told_otherwise);
DELETE FROM kept_touched_days WHERE EXISTS (FROM told_otherwise);
DELETE FROM kept_user_days WHERE EXISTS (FROM told_otherwise);
DELETE FROM kept_session_days WHERE EXISTS (FROM told_otherwise);
DELETE FROM kept_flow_days WHERE EXISTS (FROM told_otherwise);
DELETE FROM kept_usage_days WHERE EXISTS (FROM told_otherwise);
DELETE FROM kept_error_events WHERE EXISTS (FROM told_otherwise);
DELETE FROM kept_error_entities WHERE EXISTS (FROM told_otherwise);
DELETE FROM kept_query_events WHERE EXISTS (FROM told_otherwise);
DELETE FROM kept_answer_events WHERE EXISTS (FROM told_otherwise);
DELETE FROM kept_outcome_events WHERE EXISTS (FROM told_otherwise);
DELETE FROM kept_login_events WHERE EXISTS (FROM told_otherwise);
DELETE FROM kept_item_events WHERE EXISTS (FROM told_otherwise);
DELETE FROM kept_usage_events WHERE EXISTS (FROM told_otherwise);
DELETE FROM kept_pod_events WHERE EXISTS (FROM told_otherwise);
DELETE FROM kept_pod_hours WHERE EXISTS (FROM told_otherwise);
DROP TABLE told_otherwise;
