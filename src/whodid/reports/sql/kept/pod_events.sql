-- Each census of a Kubernetes cluster, and besides each pod that it found.
SELECT
    found.*,
    p[14] AS pod,
    p[13] AS namespace,
    p[6] AS phase,
    p[7] AS annotated_project,
    p[8] AS labelled_project,
    coalesce(p[9], p[10]) AS execution,
    coalesce(p[11], p[12]) AS login,
    number_of(p[1]) AS memory_mb,
    number_of(p[2]) AS memory_request_mb,
    coalesce(number_of(p[3]), number_of(p[4])) AS cpu_millis,
    number_of(p[5]) AS cpu_request_millis
FROM (
    SELECT
        e.id, e.time, e.type, e.level, e.topic, e."user", e.acting_for, person() AS person, who() AS who,
        project() AS project, e.entity_type, e.entity_id, coalesce(parameter('clusterId'), e.entity_id, '') AS cluster,
        TRUE AS is_census, texts_of(CAST('{}' AS json), '/name') AS p
    FROM events e
    WHERE e.topic = 'compute-resource-usage' AND e.type = 'kubernetes-cluster-usage-status'
    UNION ALL
    SELECT
        id, time, type, level, topic, "user", acting_for, person, who, project, entity_type, entity_id, cluster,
        FALSE AS is_census,
        texts_of(
            pod,
            '/memoryMB', '/memoryRequestMB', '/cpuCurrentMillis', '/cpuMillis', '/cpuRequestMillis', '/phase',
            '/annotations/dataiku.com~1dku-project-key', '/labels/dataiku.com~1dku-project-key',
            '/annotations/dataiku.com~1dku-execution-id', '/labels/dataiku.com~1dku-execution-id',
            '/annotations/dataiku.com~1dku-exec-submitter', '/labels/dataiku.com~1dku-exec-submitter', '/namespace',
            '/name'
        ) AS p
    FROM (
        SELECT
            e.id, e.time, e.type, e.level, e.topic, e."user", e.acting_for, person() AS person, who() AS who,
            project() AS project, e.entity_type, e.entity_id,
            coalesce(parameter('clusterId'), e.entity_id, '') AS cluster,
            elements_of(e."parameters", '/podsStatus/pods') AS pod
        FROM events e
        WHERE e.topic = 'compute-resource-usage' AND e.type = 'kubernetes-cluster-usage-status'
    ) listed
) found
