-- family: adoption
-- title: Coverage
-- question: From which nodes are events there, for which stretch of time, and with which gaps?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: limit integer = 100 | rows at most
-- column: node text | the node that sent them; empty where none is told
-- column: node_type text | design, automation, api, …
-- column: events integer events | how many
-- column: first time | the first event
-- column: last time | the latest event
-- column: days integer days | days with an event
-- column: span_days integer days | days from the first to the latest
-- column: longest_gap_hours number h | the longest time without an event between the first and the latest
-- column: late_seconds number s | half of the events were received no later than this after they happened
-- chart: bar x=days y=node
-- drill: /events?node={node}
WITH told AS (
    SELECT e.node, e.node_type, e.time, e.received_at, local(e.time) AS here
    FROM events e
    WHERE e.time >= $since AND e.time < $until AND chosen()
), hours AS (
    SELECT node, node_type, date_trunc('hour', time) AS hour, min(time) AS first, max(time) AS last
    FROM told
    GROUP BY 1, 2, 3
), gaps AS (
    SELECT node, node_type, max(gap) AS gap FROM (
        SELECT node, node_type,
            CAST(extract(epoch FROM first - lag(last) OVER (PARTITION BY node, node_type ORDER BY hour))
                AS double precision) / 3600 AS gap
        FROM hours
    ) between_hours
    GROUP BY 1, 2
), counted AS (
    SELECT
        node, node_type, count(*) AS events, min(time) AS first, max(time) AS last,
        count(DISTINCT date_trunc('day', here)) AS days,
        percentile(0.5, CAST(extract(epoch FROM received_at - time) AS double precision)) AS late_seconds,
        CAST(extract(epoch FROM date_trunc('day', max(here)) - date_trunc('day', min(here))) AS double precision) / 86400
            + 1 AS span_days
    FROM told
    GROUP BY 1, 2
)
SELECT
    c.node, c.node_type, c.events, c.first, c.last, c.days, CAST(round(c.span_days) AS integer) AS span_days,
    g.gap AS longest_gap_hours, c.late_seconds, count(*) OVER () AS "of"
FROM counted c
LEFT JOIN gaps g ON coalesce(g.node, '') = coalesce(c.node, '') AND coalesce(g.node_type, '') = coalesce(c.node_type, '')
ORDER BY c.events DESC, c.node, c.node_type
LIMIT $limit
