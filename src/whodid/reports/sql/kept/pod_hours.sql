-- What each pod that a census found held and had asked for until the next census of its cluster, and in a row of the
-- census itself how long that was. What is longer than 15 minutes was not measured and counts nothing.
SELECT
    e.id, e.time, e.type, e.level, e.topic, e."user", e.acting_for, e.person, e.who, e.project, e.entity_type,
    e.entity_id, e.cluster, e.is_census, e.namespace, e.pod, e.annotated_project, e.labelled_project, e.execution,
    e.login,
    CASE WHEN e.is_census THEN g.gap_s ELSE 0 END AS measured_s,
    coalesce(e.memory_mb, 0) * g.gap_s / 3686400 AS memory_gb_h,
    coalesce(e.cpu_millis, 0) * g.gap_s / 3600000 AS cpu_h,
    CASE WHEN coalesce(e.phase, '') NOT IN ('Succeeded', 'Failed')
        THEN greatest(0, coalesce(e.memory_request_mb, 0)) * g.gap_s / 3686400 ELSE 0 END AS memory_request_gb_h,
    CASE WHEN coalesce(e.phase, '') NOT IN ('Succeeded', 'Failed')
        THEN greatest(0, coalesce(e.cpu_request_millis, 0)) * g.gap_s / 3600000 ELSE 0 END AS cpu_request_h
FROM (
    SELECT
        c.id,
        CAST(
            extract(epoch FROM lead(c.time) OVER (PARTITION BY c.cluster ORDER BY c.time, c.id) - c.time)
            AS double precision
        ) AS gap_s
    FROM pod_events c
    WHERE c.is_census AND {looked_at}
) g
JOIN pod_events e ON e.id = g.id
WHERE g.gap_s <= 900 AND {counted}
