-- family: compute
-- title: Idle candidates
-- question: Which processes hold memory and hardly use their CPU?
-- parameter: since time = 7d | from when on
-- parameter: until time = now | until when
-- parameter: lookback time = @lookback | what was used before `since` is known from the 30 days before
-- parameter: hours integer = 2 | ran at least so many hours in this time
-- parameter: busy_percent integer = 5 | of one core, at most
-- parameter: limit integer = 50 | rows at most
-- column: id text | the process, as the platform counts it
-- column: thing text | the notebook, webapp or job it ran for
-- column: name text | its name
-- column: type text | what it was started as
-- column: project text | the project it belongs to
-- column: person text | whose it is
-- column: running_h number h | how long it ran in this time
-- column: memory_gb_h number GB·h | memory it held over that time
-- column: memory_gb number GB | memory it held on average
-- column: busy_percent number % | of one core, on average
-- column: last time | when it was last heard of
-- chart: bar x=memory_gb_h y=thing
-- with: compute_usage
, processes AS (
    SELECT
        id,
        max(thing) AS thing,
        max(thing_name) AS name,
        max(context_type) AS type,
        max(project) AS project,
        max(login) AS person,
        sum(running_h) AS running_h,
        sum(memory_gb_h) AS memory_gb_h,
        sum(memory_gb_h) / nullif(sum(running_h), 0) AS memory_gb,
        sum(cpu_h) * 100 / nullif(sum(running_h), 0) AS busy_percent,
        max(ended_at) AS last
    FROM used
    WHERE kind = 'LOCAL_PROCESS'
    GROUP BY id
)
SELECT id, thing, name, type, project, person, running_h, memory_gb_h, memory_gb, busy_percent, last, count(*) OVER () AS "of"
FROM processes
WHERE running_h >= $hours AND busy_percent <= $busy_percent
ORDER BY memory_gb_h DESC, running_h DESC, id
LIMIT $limit
