-- What flows from where to where, from the events: inputs → what runs → outputs.
-- Inputs and outputs are the entities with these roles. What runs is the event's first entity without one of these roles
-- that is no project or the like, else the scenario, job, webapp or notebook that acted (`via`), else the function, else
-- the type of event. Without roles: a build's dataset is the output of what acted, what a program reads is its input.
flow_runs AS MATERIALIZED (
    -- What touched the same things in the same way is read once. People are counted of what is told: with them a planner
    -- takes each row for a group.
    SELECT
        e.touched AS told, e.has_roles, e.entity_type, e.entity_id, e.via, e.function, e.type AS event_type,
        max(e.entity_name) AS entity_name, CAST(sum(e.events) AS bigint) AS runs,
        CAST(sum(e.failed) AS bigint) AS failed, min(e.first) AS first, max(e.last) AS last
    FROM flow_told CROSS JOIN flow_days e
    -- An engine that reads both sides of a join reads no events then: it compares with a time first.
    WHERE e.time >= $since AND e.time >= (SELECT coalesce(min(since), $until) FROM flow_told) AND e.time < $until
        AND seen()
    GROUP BY 1, 2, 3, 4, 5, 6, 7
), flow_things AS (
    SELECT
        touched, t[1] AS type, t[2] AS thing, t[3] AS name,
        CASE
            WHEN t[4] IN ('input', 'source', 'read') THEN 'input'
            WHEN t[4] IN ('output', 'target', 'result', 'written') THEN 'output'
            WHEN t[1] IN ('project', 'user', 'group', 'package', 'node', 'connection') THEN 'place'
            ELSE 'doer'
        END AS part
    FROM (
        SELECT touched, texts_of(entity, '/type', '/id', '/name', '/role') AS t
        FROM (
            SELECT touched, elements_of(CAST(touched AS jsonb), '') AS entity
            FROM (SELECT DISTINCT told AS touched FROM flow_runs WHERE has_roles) same
        ) each_of_them
    ) read
), flow_doers AS (
    SELECT
        t.*,
        max(CASE WHEN part = 'doer' THEN 1 ELSE 0 END) OVER whole AS has_doer,
        first_value(type) OVER ordered AS doer_type,
        first_value(thing) OVER ordered AS doer_thing,
        first_value(name) OVER ordered AS doer_name
    FROM flow_things t
    WINDOW
        whole AS (PARTITION BY touched),
        ordered AS (PARTITION BY touched ORDER BY CASE WHEN part = 'doer' THEN 0 ELSE 1 END, type, thing)
), flow_done AS (
    SELECT d.*, r.told, r.via, r.function, r.event_type, r.runs, r.failed, r.first, r.last
    FROM flow_runs r JOIN flow_doers d ON d.touched = r.told
    WHERE d.part IN ('input', 'output')
), flow_steps AS (
    SELECT
        part, type, thing, name, told, via, function, event_type, runs, failed, first, last,
        CASE
            WHEN has_doer = 1 THEN doer_type
            WHEN via LIKE '_%:_%' THEN split_part(via, ':', 1)
            WHEN function IS NOT NULL THEN 'function'
            ELSE 'type'
        END AS doer_type,
        CASE
            WHEN has_doer = 1 THEN doer_thing
            WHEN via LIKE '_%:_%' THEN substr(via, strpos(via, ':') + 1)
            ELSE coalesce(function, event_type)
        END AS doer_thing,
        CASE WHEN has_doer = 1 THEN doer_name END AS doer_name
    FROM flow_done
    UNION ALL
    SELECT
        CASE WHEN event_type IN ('dataset-read-data', 'dataset-read-data-sample') THEN 'input' ELSE 'output' END,
        entity_type, entity_id, entity_name, told, via, function, event_type, runs, failed, first, last,
        split_part(via, ':', 1), substr(via, strpos(via, ':') + 1), NULL
    FROM flow_runs
    WHERE NOT has_roles
), flow_ways AS MATERIALIZED (
    SELECT
        CASE WHEN part = 'input' THEN type ELSE doer_type END AS from_type,
        CASE WHEN part = 'input' THEN thing ELSE doer_thing END AS from_id,
        CASE WHEN part = 'input' THEN name ELSE doer_name END AS from_name,
        CASE WHEN part = 'input' THEN doer_type ELSE type END AS to_type,
        CASE WHEN part = 'input' THEN doer_thing ELSE thing END AS to_id,
        CASE WHEN part = 'input' THEN doer_name ELSE name END AS to_name,
        told, via, function, event_type, runs, failed, first, last
    FROM flow_steps
    WHERE thing <> doer_thing OR type <> doer_type
), flow_edges AS MATERIALIZED (
    SELECT
        from_type, from_id, max(from_name) AS from_name, to_type, to_id, max(to_name) AS to_name,
        CAST(sum(runs) AS bigint) AS runs, CAST(sum(failed) AS bigint) AS failed, min(first) AS first,
        max(last) AS last, max(via) AS via
    FROM flow_ways
    GROUP BY 1, 2, 4, 5
)
