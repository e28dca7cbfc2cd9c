-- family: adoption
-- title: Nodes
-- question: Which nodes sent, how much, when last, and how late did it arrive?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: limit integer = 1000 | rows at most
-- column: node text | what sent; empty for events that name no node
-- column: node_type text | design, automation, api, …
-- column: events integer events | events in this time
-- column: share number share | part of all events
-- column: days integer days | days with events
-- column: users integer users | who acted there
-- column: errors integer events | errors reported there
-- column: addresses integer addresses | from how many addresses it sent
-- column: first time | first event in this time
-- column: last time | last event in this time
-- column: delay number s | median time between an event and its arrival
-- column: ahead integer events | events that arrived more than a minute before they happened: a clock that is off
-- chart: bar x=events y=node
-- drill: /events?node={node}
SELECT
    e.node AS node,
    max(e.node_type) AS node_type,
    count(*) AS events,
    CAST(count(*) AS double precision) / sum(count(*)) OVER () AS share,
    count(DISTINCT date_trunc('day', local(e.time))) AS days,
    count(DISTINCT e."user") AS users,
    count(CASE WHEN is_error() THEN 1 END) AS errors,
    count(DISTINCT e.orig_address) AS addresses,
    min(e.time) AS first,
    max(e.time) AS last,
    percentile(0.5, CAST(extract(epoch FROM e.received_at - e.time) AS double precision)) AS delay,
    count(CASE WHEN e.received_at < e.time - INTERVAL '1 minute' THEN 1 END) AS ahead,
    count(*) OVER () AS "of"
FROM events e
WHERE e.time >= $since AND e.time < $until AND chosen()
GROUP BY e.node
ORDER BY events DESC, node
LIMIT $limit
