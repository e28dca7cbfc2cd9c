-- family: adoption
-- title: Nodes
-- question: Which nodes sent, how much, when last, and how late did it arrive?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: lately time = @1d | how and from where events arrive is told of the last day
-- parameter: limit integer = 1000 | rows at most
-- column: node text | what sent; empty for events that name no node
-- column: node_type text | design, automation, api, …
-- column: events integer events | events in this time
-- column: share number share | part of all events
-- column: days integer days | days with events
-- column: users integer users | who acted there
-- column: errors integer events | errors reported there
-- column: addresses integer addresses | from how many addresses it sent in the last day
-- column: first time | first event in this time
-- column: last time | last event in this time
-- column: delay number s | median time between an event and its arrival in the last day
-- column: ahead integer events | events of the last day that arrived a minute and more before they happened: its clock is off
-- chart: bar x=events y=node
-- drill: /events?node={node}
WITH people AS (
    SELECT
        e.node, e."user", max(e.node_type) AS node_type, sum(e.events) AS events, sum(e.errors) AS errors,
        min(e.first) AS first, max(e.last) AS last
    FROM thing_days e
    WHERE e.time >= $since AND e.time < $until AND chosen()
    GROUP BY 1, 2
), counted AS (
    SELECT
        node, max(node_type) AS node_type, CAST(sum(events) AS bigint) AS events, count("user") AS users,
        CAST(sum(errors) AS bigint) AS errors, min(first) AS first, max(last) AS last
    FROM people
    GROUP BY 1
), days AS (
    SELECT node, count(*) AS days
    FROM (
        SELECT DISTINCT e.node, date_trunc('day', local(e.time)) AS day
        FROM thing_days e
        WHERE e.time >= $since AND e.time < $until AND chosen()
    ) each_of_them
    GROUP BY 1
), arrivals AS (
    SELECT
        e.node,
        count(DISTINCT e.orig_address) AS addresses,
        percentile(0.5, seconds_between(e.time, e.received_at)) AS delay,
        count(CASE WHEN seconds_between(e.received_at, e.time) > 60 THEN 1 END) AS ahead
    FROM events e
    WHERE e.time >= $lately AND e.time >= $since AND e.time < $until AND chosen()
    GROUP BY 1
)
SELECT
    c.node, c.node_type, c.events, CAST(c.events AS double precision) / sum(c.events) OVER () AS share, d.days, c.users,
    c.errors, coalesce(a.addresses, 0) AS addresses, c.first, c.last, a.delay, coalesce(a.ahead, 0) AS ahead,
    count(*) OVER () AS "of"
FROM counted c
JOIN days d ON d.node IS NOT DISTINCT FROM c.node
LEFT JOIN arrivals a ON a.node IS NOT DISTINCT FROM c.node
ORDER BY c.events DESC, c.node
LIMIT $limit
