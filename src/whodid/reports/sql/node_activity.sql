-- family: adoption
-- title: Activity of a node
-- question: How much did a node send in each hour, day, week or month, and how much of it were errors?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: by hour|day|week|month = day | how long a period is
-- parameter: node text = | only this node; empty for all
-- column: period local | where the period begins; periods without events are left out
-- column: events integer events | events
-- column: errors integer events | how many of them are errors
-- chart: bar x=period y=events
-- drill: /events?since={period}&until={ends}
SELECT
    CAST(period($by, local(e.time)) AS varchar) AS period,
    CAST(sum(e.events) AS bigint) AS events,
    CAST(sum(e.errors) AS bigint) AS errors
FROM entity_days e
WHERE e.time >= $since AND e.time < $until AND chosen() AND (CAST($node AS varchar) = '' OR e.node = $node)
GROUP BY 1
ORDER BY 1
