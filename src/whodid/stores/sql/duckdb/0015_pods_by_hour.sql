-- What pods held until the next census lies by the hour, of hours that no census changes any more but a late one: since
-- `pods_closed` it is told of the censuses, and so it is since the first that waits to be counted.
CREATE TABLE pods_closed (until TIMESTAMP NOT NULL);
INSERT INTO pods_closed VALUES ('-infinity');

CREATE VIEW open_pods AS
SELECT
    least(until, (
        SELECT date_trunc('hour', min(time) - INTERVAL 15 MINUTE)
        FROM uncounted_events
        WHERE topic = 'compute-resource-usage' AND type = 'kubernetes-cluster-usage-status'
    )) AS since
FROM pods_closed;

CREATE VIEW told_pod_hours AS
SELECT
    date_trunc('hour', e.time) AS hour, e.cluster, e.is_census, e.namespace, e.pod, e.annotated_project,
    e.labelled_project, e.execution, e.login,
    CASE WHEN e.is_census THEN g.gap_s ELSE 0 END AS measured_s,
    coalesce(e.memory_mb, 0) * g.gap_s / 3686400 AS memory_gb_h,
    coalesce(e.cpu_millis, 0) * g.gap_s / 3600000 AS cpu_h,
    CASE WHEN coalesce(e.phase, '') NOT IN ('Succeeded', 'Failed')
        THEN greatest(0, coalesce(e.memory_request_mb, 0)) * g.gap_s / 3686400 ELSE 0 END AS memory_request_gb_h,
    CASE WHEN coalesce(e.phase, '') NOT IN ('Succeeded', 'Failed')
        THEN greatest(0, coalesce(e.cpu_request_millis, 0)) * g.gap_s / 3600000 ELSE 0 END AS cpu_request_h
FROM (
    SELECT id, epoch(lead(time) OVER (PARTITION BY cluster ORDER BY time, id) - time) AS gap_s
    FROM pod_events
    WHERE is_census AND time >= (SELECT since FROM open_pods)
) g
JOIN pod_events e ON e.id = g.id
WHERE g.gap_s <= 900 AND e.time >= (SELECT since FROM open_pods);

CREATE TABLE kept_pod_hours AS FROM told_pod_hours LIMIT 0;
CREATE VIEW pod_hours AS
FROM kept_pod_hours WHERE hour < (SELECT since FROM open_pods)
UNION ALL
FROM told_pod_hours;

INSERT INTO kept_pod_hours BY NAME
SELECT
    * EXCLUDE (measured_s, memory_gb_h, cpu_h, memory_request_gb_h, cpu_request_h),
    sum(measured_s) AS measured_s, sum(memory_gb_h) AS memory_gb_h, sum(cpu_h) AS cpu_h,
    sum(memory_request_gb_h) AS memory_request_gb_h, sum(cpu_request_h) AS cpu_request_h
FROM told_pod_hours
WHERE hour < (SELECT date_trunc('hour', max(time) - INTERVAL 15 MINUTE) FROM kept_pod_events)
GROUP BY ALL
ORDER BY hour;
UPDATE pods_closed SET until = coalesce(
    (SELECT date_trunc('hour', max(time) - INTERVAL 15 MINUTE) FROM kept_pod_events), until
);
