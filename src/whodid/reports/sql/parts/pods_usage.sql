-- What every pod held and had asked for on each day: a census counts until the next of its cluster, if that comes
-- within 15 minutes; longer gaps were not measured and count nothing.
censuses AS (
    SELECT
        e.time,
        coalesce(parameter('clusterId'), e.entity_id, '') AS cluster,
        e."parameters" AS told
    FROM events e
    WHERE e.topic = 'compute-resource-usage' AND e.type = 'kubernetes-cluster-usage-status'
        AND e.time >= $since AND e.time < $until AND seen()
), gaps AS (
    SELECT
        time, cluster, told,
        CAST(extract(epoch FROM lead(time) OVER (PARTITION BY cluster ORDER BY time) - time) AS double precision) AS gap_s
    FROM censuses
), measured AS (
    SELECT date_trunc('day', local(time)) AS day, cluster, gap_s, elements_of(told, '/podsStatus/pods') AS pod
    FROM gaps
    WHERE gap_s <= 900
), pods AS (
    SELECT
        day, cluster, gap_s,
        texts_of(
            pod,
            '/memoryMB', '/memoryRequestMB', '/cpuCurrentMillis', '/cpuMillis', '/cpuRequestMillis', '/phase',
            '/annotations/dataiku.com~1dku-project-key', '/labels/dataiku.com~1dku-project-key',
            '/annotations/dataiku.com~1dku-execution-id', '/labels/dataiku.com~1dku-execution-id',
            '/annotations/dataiku.com~1dku-exec-submitter', '/labels/dataiku.com~1dku-exec-submitter', '/namespace',
            '/name'
        ) AS p
    FROM measured
), pods_used AS (
    SELECT
        day,
        cluster,
        p[13] AS namespace,
        p[14] AS pod,
        p[7] AS annotated_project,
        p[8] AS labelled_project,
        coalesce(p[9], p[10]) AS execution,
        coalesce(p[11], p[12]) AS login,
        coalesce(number_of(p[1]), 0) * gap_s / 3686400 AS memory_gb_h,
        coalesce(number_of(p[3]), number_of(p[4]), 0) * gap_s / 3600000 AS cpu_h,
        CASE WHEN coalesce(p[6], '') NOT IN ('Succeeded', 'Failed')
            THEN greatest(0, coalesce(number_of(p[2]), 0)) * gap_s / 3686400 ELSE 0 END AS memory_request_gb_h,
        CASE WHEN coalesce(p[6], '') NOT IN ('Succeeded', 'Failed')
            THEN greatest(0, coalesce(number_of(p[5]), 0)) * gap_s / 3600000 ELSE 0 END AS cpu_request_h,
        gap_s
    FROM pods
)
