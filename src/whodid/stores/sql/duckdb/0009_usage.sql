-- The most that processes, queries and model calls say they used so far, by the hour and the day: each says it every minute
-- or so, and what it says only grows.
CREATE VIEW told_usage_hours AS
SELECT
    date_trunc('hour', time) AS hour, * EXCLUDE (id, time, type, topic, entity_type, entity_id), time AS first,
    time AS last
FROM told_usage_events;
CREATE TABLE kept_usage_hours AS FROM told_usage_hours LIMIT 0;
CREATE VIEW usage_hours AS FROM kept_usage_hours UNION ALL FROM told_usage_hours;
CREATE VIEW counted_usage_hours AS FROM kept_usage_hours;

CREATE VIEW told_usage_days AS SELECT date_trunc('day', hour) AS day, * EXCLUDE (hour) FROM told_usage_hours;
CREATE TABLE kept_usage_days AS FROM told_usage_days LIMIT 0;
CREATE VIEW usage_days AS FROM kept_usage_days UNION ALL FROM told_usage_days;
CREATE VIEW counted_usage_days AS FROM kept_usage_days;

INSERT INTO kept_usage_hours BY NAME
SELECT
    date_trunc('hour', time) AS hour,
    * EXCLUDE (
        id, time, type, topic, entity_type, entity_id, memory_mb_s, cpu_ms, sql_ms, llm_queries, prompt_tokens,
        completion_tokens, llm_cost_usd, cache_hits, running_ms
    ),
    max(memory_mb_s) AS memory_mb_s, max(cpu_ms) AS cpu_ms, max(sql_ms) AS sql_ms, max(llm_queries) AS llm_queries,
    max(prompt_tokens) AS prompt_tokens, max(completion_tokens) AS completion_tokens,
    max(llm_cost_usd) AS llm_cost_usd, max(cache_hits) AS cache_hits, max(running_ms) AS running_ms,
    min(time) AS first, max(time) AS last
FROM kept_usage_events
GROUP BY ALL
ORDER BY hour;

INSERT INTO kept_usage_days BY NAME
SELECT
    date_trunc('day', hour) AS day,
    * EXCLUDE (
        hour, memory_mb_s, cpu_ms, sql_ms, llm_queries, prompt_tokens, completion_tokens, llm_cost_usd, cache_hits,
        running_ms, first, last
    ),
    max(memory_mb_s) AS memory_mb_s, max(cpu_ms) AS cpu_ms, max(sql_ms) AS sql_ms, max(llm_queries) AS llm_queries,
    max(prompt_tokens) AS prompt_tokens, max(completion_tokens) AS completion_tokens,
    max(llm_cost_usd) AS llm_cost_usd, max(cache_hits) AS cache_hits, max(running_ms) AS running_ms,
    min(first) AS first, max(last) AS last
FROM kept_usage_hours
GROUP BY ALL
ORDER BY day;
