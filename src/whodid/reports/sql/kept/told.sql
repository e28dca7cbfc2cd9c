-- Every event with what is summed by the hour.
SELECT
    e.*,
    person() AS person,
    who() AS who,
    e.via IS NOT NULL AS has_via,
    e.via IS NULL AND CASE
        WHEN e.format LIKE 'dss%' OR e.node_type IN ('design', 'automation')
        THEN coalesce(parameter('authSource'), 'USER_FROM_UI') = 'USER_FROM_UI'
            AND coalesce(parameter('scenarioId'), '') = '' AND coalesce(parameter('jobId'), '') = ''
        ELSE TRUE
    END AS by_hand,
    parameter('package') AS package,
    CASE WHEN parameter('package') IS NOT NULL THEN parameter('version') END AS version,
    verb() AS verb,
    CAST(e.entities AS varchar) AS touched,
    has_roles() AS has_roles,
    1 AS events,
    CASE WHEN is_use() THEN 1 ELSE 0 END AS uses,
    CASE WHEN is_run() THEN 1 ELSE 0 END AS runs,
    CASE WHEN is_error() THEN 1 ELSE 0 END AS errors,
    CASE WHEN is_error() OR e.status = 'failed' THEN 1 ELSE 0 END AS failed,
    number_of(parameter('rows')) AS row_count,
    as_list(e.duration_ms) AS durations,
    e.duration_ms AS total_ms,
    e.time AS first,
    e.time AS last
FROM events e
