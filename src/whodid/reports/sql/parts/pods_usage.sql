-- What every pod held and had asked for on each day, and how long each cluster was measured (of no pod): a census counts
-- until the next of its cluster, if that comes within 15 minutes; longer gaps were not measured and count nothing.
pods_used AS (
    SELECT
        date_trunc('day', local(e.time)) AS day,
        e.is_census,
        e.cluster,
        e.namespace,
        e.pod,
        e.annotated_project,
        e.labelled_project,
        e.execution,
        e.login,
        e.measured_s,
        e.memory_gb_h,
        e.cpu_h,
        e.memory_request_gb_h,
        e.cpu_request_h
    FROM pod_hours e
    WHERE e.time >= $since AND e.time < $until AND seen()
)
