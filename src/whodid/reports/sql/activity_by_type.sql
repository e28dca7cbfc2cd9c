-- family: overview
-- title: What is done over time
-- question: What is done most in each hour, day, week or month?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: by hour|day|week|month = day | how long a period is
-- parameter: top integer = 7 | so many types are told apart
-- column: period local | where the period begins
-- column: type text | the type; empty for all others together
-- column: events integer events | how many
-- chart: bar x=period y=events color=type
-- drill: /events?type={type}&since={period}&until={ends}
WITH counted AS (
    SELECT period($by, local(e.time)) AS period, e.type, sum(e.events) AS events
    FROM event_days e
    WHERE e.time >= $since AND e.time < $until AND chosen()
    GROUP BY 1, 2
), ranked AS (
    SELECT type, row_number() OVER (ORDER BY sum(events) DESC, type) AS place FROM counted GROUP BY type
), told AS (
    SELECT c.period, CASE WHEN r.place <= $top THEN c.type END AS type, c.events
    FROM counted c JOIN ranked r ON r.type = c.type
)
SELECT CAST(period AS varchar) AS period, type, CAST(sum(events) AS bigint) AS events
FROM told
GROUP BY 1, 2
ORDER BY period, type NULLS LAST
