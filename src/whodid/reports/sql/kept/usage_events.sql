-- What processes, queries and model calls say that they used so far, and to whom it belongs.
SELECT
    id, time, type, level, topic, "user", acting_for, person, who, project, entity_type, entity_id,
    u[1] AS usage,
    u[2] AS usage_kind,
    nullif(u[5], 'UNKNOWN') AS context_type,
    nullif(u[6], '') AS context_project,
    nullif(u[7], '') AS login,
    u[14] AS connection_usage,
    coalesce(u[15], u[16], u[23]) AS connection,
    u[22] AS model,
    coalesce(u[24], u[25]) AS execution,
    coalesce(entity, u[6] || '.' || coalesce(u[26], u[27], u[28])) AS thing,
    coalesce(entity_name, u[26], u[27], u[28]) AS thing_name,
    greatest(coalesce(number_of(u[8]), 0), coalesce(number_of(u[9]), 0)) AS memory_mb_s,
    coalesce(number_of(u[10]), coalesce(number_of(u[11]), 0) + coalesce(number_of(u[12]), 0)) AS cpu_ms,
    coalesce(number_of(u[13]), 0) AS sql_ms,
    coalesce(number_of(u[17]), 0) AS llm_queries,
    coalesce(number_of(u[18]), 0) AS prompt_tokens,
    coalesce(number_of(u[19]), 0) AS completion_tokens,
    coalesce(number_of(u[20]), 0) AS llm_cost_usd,
    coalesce(number_of(u[21]), 0) AS cache_hits,
    greatest(0, coalesce(
        number_of(u[4]), CAST(extract(epoch FROM time) AS double precision) * 1000 - number_of(u[3]), 0
    )) AS running_ms
FROM (
    SELECT
        e.id, e.time, e.type, e.level, e.topic, e."user", e.acting_for, person() AS person, who() AS who,
        project() AS project, e.entity_type, e.entity_id, e.entity_type || ':' || e.entity_id AS entity, e.entity_name,
        texts_of(
            e."parameters",
            '/computeResourceUsage/id', '/computeResourceUsage/type', '/computeResourceUsage/startTime',
            '/computeResourceUsage/totalTime', '/computeResourceUsage/context/type',
            '/computeResourceUsage/context/projectKey', '/computeResourceUsage/context/authIdentifier',
            '/computeResourceUsage/localProcess/vmRSSTotalMBS', '/computeResourceUsage/localProcess/rssMBSeconds',
            '/computeResourceUsage/localProcess/cpuTotalMS', '/computeResourceUsage/localProcess/userTimeMS',
            '/computeResourceUsage/localProcess/systemTimeMS', '/computeResourceUsage/sqlQuery/statementExecutionTime',
            '/computeResourceUsage/sqlQuery/connectionUsageId', '/computeResourceUsage/sqlQuery/connection',
            '/computeResourceUsage/sqlConnection/connection', '/computeResourceUsage/llmUsage/totalQueries',
            '/computeResourceUsage/llmUsage/totalPromptTokens', '/computeResourceUsage/llmUsage/totalCompletionTokens',
            '/computeResourceUsage/llmUsage/estimatedCostUSD', '/computeResourceUsage/llmUsage/cacheHitQueries',
            '/computeResourceUsage/llmUsage/llmId', '/computeResourceUsage/llmUsage/connection',
            '/computeResourceUsage/singleK8SJob/executionId', '/computeResourceUsage/sparkK8SJob/executionId',
            '/computeResourceUsage/context/notebookName', '/computeResourceUsage/context/webappId',
            '/computeResourceUsage/context/jobId'
        ) AS u
    FROM events e
    WHERE e.topic = 'compute-resource-usage' AND e.type LIKE 'compute-resource-usage-%'
) told
WHERE u[1] IS NOT NULL
