-- family: compute
-- title: Kubernetes
-- question: What do pods use of what they asked for, by cluster and namespace?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: limit integer = 50 | rows at most
-- column: cluster text | the cluster
-- column: namespace text | the namespace
-- column: project text | the project that the pods name; empty: none
-- column: pods integer pods | names of pods that were seen
-- column: memory_gb_h number GB·h | memory used
-- column: memory_request_gb_h number GB·h | memory asked for
-- column: memory_used_percent number % | used of what was asked for
-- column: cpu_h number h | CPU used
-- column: cpu_request_h number h | CPU asked for
-- column: cpu_used_percent number % | used of what was asked for
-- column: measured_percent number % | of the time between `since` and `until` that the cluster was counted in
-- chart: bar x=memory_request_gb_h y=project
-- with: pods_usage
, coverage AS (
    SELECT cluster, sum(measured_s) AS measured_s FROM pods_used GROUP BY 1
), of_pods AS (
    -- By pod first: to count different ones of all rows would put these in order.
    SELECT
        cluster, namespace, coalesce(annotated_project, labelled_project) AS project, pod,
        sum(memory_gb_h) AS memory_gb_h, sum(memory_request_gb_h) AS memory_request_gb_h,
        sum(cpu_h) AS cpu_h, sum(cpu_request_h) AS cpu_request_h
    FROM pods_used
    WHERE NOT is_census
    GROUP BY 1, 2, 3, 4
), grouped AS (
    SELECT
        cluster, namespace, project, count(pod) AS pods,
        sum(memory_gb_h) AS memory_gb_h, sum(memory_request_gb_h) AS memory_request_gb_h,
        sum(cpu_h) AS cpu_h, sum(cpu_request_h) AS cpu_request_h
    FROM of_pods
    GROUP BY 1, 2, 3
)
SELECT
    g.cluster,
    g.namespace,
    g.project,
    g.pods,
    g.memory_gb_h,
    g.memory_request_gb_h,
    g.memory_gb_h * 100 / nullif(g.memory_request_gb_h, 0) AS memory_used_percent,
    g.cpu_h,
    g.cpu_request_h,
    g.cpu_h * 100 / nullif(g.cpu_request_h, 0) AS cpu_used_percent,
    c.measured_s * 100 / CAST(
        extract(epoch FROM CAST($until AS timestamp) - CAST($since AS timestamp)) AS double precision
    ) AS measured_percent,
    count(*) OVER () AS "of"
FROM grouped g
JOIN coverage c ON c.cluster = g.cluster
ORDER BY memory_request_gb_h DESC, memory_gb_h DESC, cluster, namespace, project
LIMIT $limit
