-- family: adoption
-- title: Coverage
-- question: From which nodes are events there, for which stretch of time, and with which gaps?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: lately time = @1d | how late events arrive is told of the last day
-- parameter: limit integer = 100 | rows at most
-- column: node text | the node that sent them; empty where none is told
-- column: node_type text | design, automation, api, …
-- column: events integer events | how many
-- column: first time | the first event
-- column: last time | the latest event
-- column: days integer days | days with an event
-- column: span_days integer days | days from the first to the latest
-- column: longest_gap_hours number h | the longest time without an event between the first and the latest
-- column: late_seconds number s | half of the last day's events were received no later than this after they happened
-- chart: bar x=days y=node
-- drill: /events?node={node}
WITH hours AS (
    SELECT
        e.node, e.node_type, date_trunc('hour', e.time) AS hour, date_trunc('day', local(e.time)) AS day,
        sum(e.events) AS events, min(e.first) AS first, max(e.last) AS last
    FROM entity_hours e
    WHERE e.time >= $since AND e.time < $until AND chosen()
    GROUP BY 1, 2, 3, 4
), lateness AS (
    SELECT
        e.node, e.node_type, percentile(0.5, seconds_between(e.time, e.received_at)) AS late_seconds
    FROM events e
    WHERE e.time >= $lately AND e.time >= $since AND e.time < $until AND chosen()
    GROUP BY 1, 2
), gaps AS (
    SELECT node, node_type, max(gap) AS gap FROM (
        SELECT node, node_type,
            CAST(extract(epoch FROM first - lag(last) OVER (PARTITION BY node, node_type ORDER BY hour, day))
                AS double precision) / 3600 AS gap
        FROM hours
    ) between_hours
    GROUP BY 1, 2
), counted AS (
    SELECT
        node, node_type, CAST(sum(events) AS bigint) AS events, min(first) AS first, max(last) AS last,
        count(DISTINCT day) AS days,
        CAST(extract(epoch FROM max(day) - min(day)) AS double precision) / 86400 + 1 AS span_days
    FROM hours
    GROUP BY 1, 2
)
SELECT
    c.node, c.node_type, c.events, c.first, c.last, c.days, CAST(round(c.span_days) AS integer) AS span_days,
    g.gap AS longest_gap_hours, l.late_seconds, count(*) OVER () AS "of"
FROM counted c
LEFT JOIN gaps g ON coalesce(g.node, '') = coalesce(c.node, '') AND coalesce(g.node_type, '') = coalesce(c.node_type, '')
LEFT JOIN lateness l
    ON coalesce(l.node, '') = coalesce(c.node, '') AND coalesce(l.node_type, '') = coalesce(c.node_type, '')
ORDER BY c.events DESC, c.node, c.node_type
LIMIT $limit
