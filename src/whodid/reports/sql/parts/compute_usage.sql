-- What every process, query and model call used on each day, and to whom it belongs: one row an id and day.
-- Metrics grow under one id, so that the running maximum counts; a day used what it is above the day before.
told AS (
    SELECT
        e.time,
        CASE WHEN e.time >= $since THEN date_trunc('day', local(e.time)) END AS day,
        e.entity_type || ':' || e.entity_id AS entity,
        e.entity_name,
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
        AND e.time >= $lookback AND e.time < $until AND seen()
), each_day AS (
    SELECT
        u[1] AS id,
        day,
        min(time) AS began_at,
        max(time) AS ended_at,
        max(greatest(coalesce(number_of(u[8]), 0), coalesce(number_of(u[9]), 0))) AS memory_mb_s,
        max(coalesce(number_of(u[10]), coalesce(number_of(u[11]), 0) + coalesce(number_of(u[12]), 0))) AS cpu_ms,
        max(coalesce(number_of(u[13]), 0)) AS sql_ms,
        max(coalesce(number_of(u[17]), 0)) AS llm_queries,
        max(coalesce(number_of(u[18]), 0)) AS prompt_tokens,
        max(coalesce(number_of(u[19]), 0)) AS completion_tokens,
        max(coalesce(number_of(u[20]), 0)) AS llm_cost_usd,
        max(coalesce(number_of(u[21]), 0)) AS cache_hits,
        max(greatest(0, coalesce(
            number_of(u[4]), CAST(extract(epoch FROM time) AS double precision) * 1000 - number_of(u[3]), 0
        ))) AS running_ms
    FROM told
    WHERE u[1] IS NOT NULL
    GROUP BY 1, 2
), context AS (
    SELECT
        u[1] AS id,
        max(u[2]) AS kind,
        max(nullif(u[5], 'UNKNOWN')) AS context_type,
        max(nullif(u[6], '')) AS project,
        max(nullif(u[7], '')) AS login,
        max(u[14]) AS connection_usage,
        max(coalesce(u[15], u[16], u[23])) AS connection,
        max(u[22]) AS model,
        max(coalesce(u[24], u[25])) AS execution,
        max(coalesce(entity, u[6] || '.' || coalesce(u[26], u[27], u[28]))) AS thing,
        max(coalesce(entity_name, u[26], u[27], u[28])) AS thing_name
    FROM told
    WHERE u[1] IS NOT NULL
    GROUP BY 1
), belonging AS (
    SELECT
        c.id,
        c.kind,
        coalesce(c.project, parent.project) AS project,
        CASE WHEN c.project IS NULL AND parent.project IS NOT NULL THEN coalesce(parent.login, c.login)
            ELSE coalesce(c.login, parent.login) END AS login,
        CASE WHEN c.project IS NULL AND parent.project IS NOT NULL THEN coalesce(parent.context_type, c.context_type)
            ELSE coalesce(c.context_type, parent.context_type) END AS context_type,
        c.connection,
        c.model,
        c.execution,
        c.thing,
        c.thing_name
    FROM context c
    LEFT JOIN context parent
        ON c.kind = 'SQL_QUERY' AND parent.kind = 'SQL_CONNECTION' AND parent.id = c.connection_usage
), grown AS (
    SELECT
        id, day, began_at, ended_at,
        memory_mb_s, cpu_ms, sql_ms, llm_queries, prompt_tokens, completion_tokens, llm_cost_usd, cache_hits, running_ms,
        max(memory_mb_s) OVER earlier AS memory_mb_s_before,
        max(cpu_ms) OVER earlier AS cpu_ms_before,
        max(sql_ms) OVER earlier AS sql_ms_before,
        max(llm_queries) OVER earlier AS llm_queries_before,
        max(prompt_tokens) OVER earlier AS prompt_tokens_before,
        max(completion_tokens) OVER earlier AS completion_tokens_before,
        max(llm_cost_usd) OVER earlier AS llm_cost_usd_before,
        max(cache_hits) OVER earlier AS cache_hits_before,
        max(running_ms) OVER earlier AS running_ms_before,
        row_number() OVER (PARTITION BY id, day IS NULL ORDER BY day) AS day_number
    FROM each_day
    WINDOW earlier AS (
        PARTITION BY id ORDER BY day NULLS FIRST ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
), used AS (
    SELECT
        g.day,
        b.id, b.kind, b.project, b.login, b.context_type, b.connection, b.model, b.execution, b.thing, b.thing_name,
        g.began_at, g.ended_at,
        greatest(0, memory_mb_s - coalesce(memory_mb_s_before, 0)) / 3686400 AS memory_gb_h,
        greatest(0, cpu_ms - coalesce(cpu_ms_before, 0)) / 3600000 AS cpu_h,
        greatest(0, sql_ms - coalesce(sql_ms_before, 0)) / 3600000 AS sql_h,
        greatest(0, llm_queries - coalesce(llm_queries_before, 0)) AS llm_queries,
        greatest(0, prompt_tokens - coalesce(prompt_tokens_before, 0)) AS prompt_tokens,
        greatest(0, completion_tokens - coalesce(completion_tokens_before, 0)) AS completion_tokens,
        greatest(0, llm_cost_usd - coalesce(llm_cost_usd_before, 0)) AS llm_cost_usd,
        greatest(0, cache_hits - coalesce(cache_hits_before, 0)) AS cache_hits,
        greatest(0, running_ms - coalesce(running_ms_before, 0)) / 3600000 AS running_h,
        CASE WHEN day_number = 1 THEN 1 ELSE 0 END AS resources
    FROM grown g
    JOIN belonging b ON b.id = g.id
    WHERE g.day IS NOT NULL
)
