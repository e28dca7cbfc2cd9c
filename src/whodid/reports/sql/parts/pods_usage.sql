-- What every pod held and had asked for on each day: a census counts until the next of its cluster, if that comes
-- within 15 minutes; longer gaps were not measured and count nothing.
gaps AS (
    SELECT
        e.id, e.cluster, date_trunc('day', local(e.time)) AS day,
        CAST(
            extract(epoch FROM lead(e.time) OVER (PARTITION BY e.cluster ORDER BY e.time, e.id) - e.time)
            AS double precision
        ) AS gap_s
    FROM pod_events e
    WHERE e.time >= $since AND e.time < $until AND seen() AND e.is_census
), pods AS (
    SELECT g.day, g.gap_s, e.*
    FROM gaps g JOIN pod_events e ON e.id = g.id
    WHERE g.gap_s <= 900 AND e.time >= $since AND e.time < $until AND seen() AND NOT e.is_census
), pods_used AS (
    SELECT
        day,
        cluster,
        namespace,
        pod,
        annotated_project,
        labelled_project,
        execution,
        login,
        coalesce(memory_mb, 0) * gap_s / 3686400 AS memory_gb_h,
        coalesce(cpu_millis, 0) * gap_s / 3600000 AS cpu_h,
        CASE WHEN coalesce(phase, '') NOT IN ('Succeeded', 'Failed')
            THEN greatest(0, coalesce(memory_request_mb, 0)) * gap_s / 3686400 ELSE 0 END AS memory_request_gb_h,
        CASE WHEN coalesce(phase, '') NOT IN ('Succeeded', 'Failed')
            THEN greatest(0, coalesce(cpu_request_millis, 0)) * gap_s / 3600000 ELSE 0 END AS cpu_request_h,
        gap_s
    FROM pods
)
