-- family: compute
-- title: What uses compute
-- question: Which notebooks, webapps, jobs and connections use most, and whose are they?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: lookback time = @lookback | what was used before `since` is known from the 30 days before
-- parameter: limit integer = 50 | rows at most
-- column: thing text | type and id, or the kind of use where no thing was told
-- column: name text | its name
-- column: project text | the project it belongs to; empty: unattributed
-- column: person text | who used most of it
-- column: people integer people | whose use it was
-- column: resources integer resources | processes, connections, queries and model calls
-- column: running_h number h | time they ran, added up
-- column: memory_gb_h number GB·h | memory of its local processes over time
-- column: memory_gb number GB | memory held on average while they ran
-- column: cpu_h number h | CPU of its local processes
-- column: cores number cores | cores busy on average while they ran
-- column: sql_h number h | time that its statements ran
-- column: llm_cost_usd number USD | what the platform estimates for its model calls
-- column: memory_share_percent number % | of the memory of all
-- column: cpu_share_percent number % | of the CPU of all
-- chart: bar x=memory_gb_h y=thing
-- drill: /entities/{thing}
-- with: compute_usage
, by_person AS (
    SELECT
        coalesce(thing, kind || ':' || coalesce(connection, model, context_type, '')) AS thing,
        project,
        login,
        max(thing_name) AS name,
        sum(resources) AS resources,
        sum(running_h) AS running_h,
        sum(memory_gb_h) AS memory_gb_h,
        sum(cpu_h) AS cpu_h,
        sum(sql_h) AS sql_h,
        sum(llm_cost_usd) AS llm_cost_usd
    FROM used
    GROUP BY 1, 2, 3
), placed AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY thing, project ORDER BY memory_gb_h + cpu_h + sql_h + llm_cost_usd DESC, login) AS place,
        sum(memory_gb_h) OVER () AS all_memory_gb_h,
        sum(cpu_h) OVER () AS all_cpu_h
    FROM by_person
)
SELECT
    thing,
    max(name) AS name,
    project,
    max(CASE WHEN place = 1 THEN login END) AS person,
    count(DISTINCT login) AS people,
    sum(resources) AS resources,
    sum(running_h) AS running_h,
    sum(memory_gb_h) AS memory_gb_h,
    sum(memory_gb_h) / nullif(sum(running_h), 0) AS memory_gb,
    sum(cpu_h) AS cpu_h,
    sum(cpu_h) / nullif(sum(running_h), 0) AS cores,
    sum(sql_h) AS sql_h,
    sum(llm_cost_usd) AS llm_cost_usd,
    sum(memory_gb_h) * 100 / nullif(max(all_memory_gb_h), 0) AS memory_share_percent,
    sum(cpu_h) * 100 / nullif(max(all_cpu_h), 0) AS cpu_share_percent,
    count(*) OVER () AS "of"
FROM placed
GROUP BY thing, project
ORDER BY memory_gb_h DESC, cpu_h DESC, sql_h DESC, llm_cost_usd DESC, thing, project
LIMIT $limit
