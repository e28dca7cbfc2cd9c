-- family: security
-- title: Timeline
-- question: What happened in one request, session or life of a user, on client and server?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: request text =  | id of a request
-- parameter: session text =  | id of a session
-- parameter: limit integer = 500 | rows at most, the first of them
-- column: time time | when
-- column: after_ms number ms | after the first
-- column: gap_ms number ms | after the one before
-- column: side text | client or server
-- column: node text | which server
-- column: person text | who
-- column: type text | what
-- column: level text | audit, usage, error, …
-- column: thing text | to what
-- column: function text | what was run
-- column: duration_ms number ms | how long it took
-- column: status text | what came of it
-- column: message text | the error, else the description
-- column: session uuid | the session
-- column: request_id text | the request
-- column: id uuid | the event
-- chart: bar x=time y=type
-- drill: /events/{id}
WITH happened AS (
    SELECT
        e.time, e.source AS side, e.node, person() AS person, e.type, e.level,
        e.entity_type || ':' || coalesce(e.entity_name, e.entity_id) AS thing,
        e.function, e.duration_ms, e.status, coalesce(e.error_message, e.description) AS message,
        e.session, e.request_id, e.id
    FROM events e
    WHERE e.time >= $since AND e.time < $until AND chosen()
        AND ($request = '' OR of_request($request))
        AND ($session = '' OR e.session = CAST(nullif($session, '') AS uuid))
)
SELECT
    time,
    CAST(extract(epoch FROM time - min(time) OVER ()) AS double precision) * 1000 AS after_ms,
    CAST(extract(epoch FROM time - lag(time) OVER (ORDER BY time, id)) AS double precision) * 1000 AS gap_ms,
    side, node, person, type, level, thing, function, duration_ms, status, message, session, request_id, id,
    count(*) OVER () AS "of"
FROM happened
ORDER BY time, id
LIMIT $limit
