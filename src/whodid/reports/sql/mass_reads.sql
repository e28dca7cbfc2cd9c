-- family: security
-- title: Mass reads and exports
-- question: Who read or took out far more in a day than is usual for them?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: before time = @before | where the equal time before begins; both times say what is usual
-- parameter: takings texts = @takings | types that tell of reading data or taking it out
-- parameter: exports texts = @exports | types that tell of taking data out
-- parameter: at_least integer = 10 | reads or exports on that day
-- parameter: factor integer = 4 | times the usual, at least
-- parameter: limit integer = 100 | rows at most
-- column: person text | who
-- column: day date | day, in your time zone
-- column: kind text | read or export
-- column: events integer events | how many on that day
-- column: usual number events | median of their active days, or of everybody's if they had fewer than five
-- column: times_usual number times | events against the usual
-- column: things integer things | different things that were read or taken out
-- column: rows integer rows | rows, where told
-- column: first time | the first
-- column: last time | the last
-- chart: point x=day y=times_usual
-- drill: /users/{person}
WITH daily AS MATERIALIZED (
    SELECT
        e.who AS person,
        CASE WHEN e.type = ANY($exports) THEN 'export' ELSE 'read' END AS kind,
        CAST(date_trunc('day', local(e.time)) AS date) AS day,
        CAST(sum(e.events) AS bigint) AS events,
        count(DISTINCT e.entity_id) AS things,
        sum(e.row_count) AS row_count,
        min(e.first) AS first,
        max(e.last) AS last
    FROM thing_days e
    WHERE e.time >= $before AND e.time < $until AND chosen()
        AND e.type = ANY($takings) AND e.who IS NOT NULL
    GROUP BY 1, 2, 3
), own AS (
    SELECT person, kind, count(*) AS days, percentile(0.5, events) AS usual FROM daily GROUP BY 1, 2
), everybody AS (
    SELECT kind, percentile(0.5, events) AS usual FROM daily GROUP BY 1
), against AS (
    SELECT d.*, CASE WHEN o.days >= 5 THEN o.usual ELSE a.usual END AS usual
    FROM daily d
    JOIN own o ON o.person = d.person AND o.kind = d.kind
    JOIN everybody a ON a.kind = d.kind
)
SELECT
    person, day, kind, events, CAST(usual AS double precision) AS usual,
    events / greatest(1, CAST(usual AS double precision)) AS times_usual,
    things, CAST(row_count AS bigint) AS rows, first, last, count(*) OVER () AS "of"
FROM against
WHERE last >= $since AND events >= $at_least AND events >= $factor * usual
ORDER BY times_usual DESC, events DESC, day DESC, person, kind
LIMIT $limit
