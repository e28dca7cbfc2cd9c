-- What every process, query and model call used on each day, and to whom it belongs: one row an id and day.
-- Metrics grow under one id, so that the running maximum counts; a day used what it is above the day before.
told AS (
    SELECT
        e.usage, e.usage_kind, e.context_type, e.context_project, e.login, e.connection_usage, e.connection, e.model,
        e.execution, e.thing, e.thing_name, e.memory_mb_s, e.cpu_ms, e.sql_ms, e.llm_queries, e.prompt_tokens,
        e.completion_tokens, e.llm_cost_usd, e.cache_hits, e.running_ms, e.first, e.last,
        CASE WHEN e.time >= $since THEN date_trunc('day', local(e.time)) END AS day
    FROM usage_days e
    WHERE e.time >= $lookback AND e.time < $until AND seen()
), each_day AS (
    SELECT
        usage AS id,
        day,
        min(first) AS began_at,
        max(last) AS ended_at,
        max(memory_mb_s) AS memory_mb_s,
        max(cpu_ms) AS cpu_ms,
        max(sql_ms) AS sql_ms,
        max(llm_queries) AS llm_queries,
        max(prompt_tokens) AS prompt_tokens,
        max(completion_tokens) AS completion_tokens,
        max(llm_cost_usd) AS llm_cost_usd,
        max(cache_hits) AS cache_hits,
        max(running_ms) AS running_ms
    FROM told
    GROUP BY 1, 2
), context AS (
    SELECT
        usage AS id,
        max(usage_kind) AS kind,
        max(context_type) AS context_type,
        max(context_project) AS project,
        max(login) AS login,
        max(connection_usage) AS connection_usage,
        max(connection) AS connection,
        max(model) AS model,
        max(execution) AS execution,
        max(thing) AS thing,
        max(thing_name) AS thing_name
    FROM told
    GROUP BY 1
), belonging AS MATERIALIZED (
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
