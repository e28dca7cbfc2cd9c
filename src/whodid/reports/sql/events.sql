-- family: overview
-- title: Events
-- question: How many events are there, and how many of them are errors?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: function text = | only of this function; empty for all
-- parameter: node text = | only what this node sent; empty for all
-- column: events integer events | how many
-- column: errors integer events | how many of them are errors
SELECT CAST(coalesce(sum(e.events), 0) AS bigint) AS events, CAST(coalesce(sum(e.errors), 0) AS bigint) AS errors
FROM entity_days e
WHERE e.time >= $since AND e.time < $until AND chosen()
    AND (CAST($function AS varchar) = '' OR e.function = $function)
    AND (CAST($node AS varchar) = '' OR e.node = $node)
ORDER BY events
