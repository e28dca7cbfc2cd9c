-- What flows from where to where, from the events: inputs → what runs → outputs.
-- Inputs and outputs are the entities with these roles. What runs is the event's entity without one of these roles that
-- is no project, else the scenario, job, webapp or notebook that acted (`via`); with neither they are joined directly.
-- Without roles: a build's dataset is its output, what a program reads is its input, and both come from a connection.
flow_marked AS (
    SELECT DISTINCT x.event_id AS id
    FROM event_entities x
    WHERE x.time >= $since AND x.time < $until
        AND x.role IN ('input', 'source', 'read', 'output', 'target', 'result', 'written')
), flow_events AS (
    SELECT
        e.id, e.time, e.status, e.via, person() AS person, is_error() AS is_error, e.entity_type AS type,
        e.entity_id AS thing, e.entity_name AS name, texts_of(e."entities", '/0/role')[1] AS role
    FROM events e JOIN flow_marked m ON m.id = e.id
    WHERE e.time >= $since AND e.time < $until
), flow_things AS (
    SELECT id, type, thing, name, role FROM flow_events WHERE thing IS NOT NULL
    UNION ALL
    SELECT x.event_id, x.type, x.id, x.name, x.role
    FROM event_entities x JOIN flow_marked m ON m.id = x.event_id
    WHERE x.time >= $since AND x.time < $until
), flow_inputs AS (
    SELECT id, type, thing, name FROM flow_things WHERE role IN ('input', 'source', 'read')
), flow_outputs AS (
    SELECT id, type, thing, name FROM flow_things WHERE role IN ('output', 'target', 'result', 'written')
), flow_doers AS (
    SELECT id, type, thing, name FROM (
        SELECT id, type, thing, name, row_number() OVER (PARTITION BY id ORDER BY rank, type, thing) AS place
        FROM (
            SELECT id, type, thing, name, 1 AS rank
            FROM flow_things
            WHERE coalesce(role, '') NOT IN ('input', 'source', 'read', 'output', 'target', 'result', 'written')
                AND type NOT IN ('project', 'user', 'group', 'package', 'node', 'connection')
            UNION ALL
            SELECT id, split_part(via, ':', 1), substr(via, strpos(via, ':') + 1), NULL, 2
            FROM flow_events
            WHERE via LIKE '_%:_%'
        ) every_doer
    ) ranked
    WHERE place = 1
), flow_steps AS (
    SELECT i.id, i.type AS from_type, i.thing AS from_id, i.name AS from_name,
        d.type AS to_type, d.thing AS to_id, d.name AS to_name
    FROM flow_inputs i JOIN flow_doers d ON d.id = i.id
    UNION ALL
    SELECT o.id, d.type, d.thing, d.name, o.type, o.thing, o.name
    FROM flow_outputs o JOIN flow_doers d ON d.id = o.id
    UNION ALL
    SELECT o.id, i.type, i.thing, i.name, o.type, o.thing, o.name
    FROM flow_outputs o JOIN flow_inputs i ON i.id = o.id
    WHERE NOT EXISTS (SELECT 1 FROM flow_doers d WHERE d.id = o.id)
), flow_told AS (
    SELECT
        s.from_type, s.from_id, s.from_name, s.to_type, s.to_id, s.to_name,
        v.time, v.person, v.via, v.is_error OR v.status = 'failed' AS is_failed
    FROM flow_steps s JOIN flow_events v ON v.id = s.id
    UNION ALL
    SELECT
        split_part(e.via, ':', 1), substr(e.via, strpos(e.via, ':') + 1), NULL,
        e.entity_type, e.entity_id, e.entity_name, e.time, person(), e.via, e.type = 'flow-object-build-failed'
    FROM events e
    WHERE e.time >= $since AND e.time < $until AND e.via LIKE '_%:_%' AND e.entity_type = 'dataset'
        AND e.type IN ('flow-object-build-success', 'flow-object-build-failed')
        AND e.id NOT IN (SELECT m.id FROM flow_marked m)
    UNION ALL
    SELECT
        e.entity_type, e.entity_id, e.entity_name,
        split_part(e.via, ':', 1), substr(e.via, strpos(e.via, ':') + 1), NULL, e.time, person(), e.via, is_error()
    FROM events e
    WHERE e.time >= $since AND e.time < $until AND e.via LIKE '_%:_%' AND e.entity_type = 'dataset'
        AND e.type IN ('dataset-read-data', 'dataset-read-data-sample')
        AND e.id NOT IN (SELECT m.id FROM flow_marked m)
), flow_edges AS (
    SELECT
        from_type, from_id, max(from_name) AS from_name, to_type, to_id, max(to_name) AS to_name,
        count(*) AS runs,
        count(*) FILTER (WHERE is_failed) AS failed,
        min(time) AS first,
        max(time) AS last,
        count(DISTINCT person) AS users,
        max(via) AS via
    FROM flow_told
    WHERE from_id <> to_id OR from_type <> to_type
    GROUP BY 1, 2, 4, 5
)
