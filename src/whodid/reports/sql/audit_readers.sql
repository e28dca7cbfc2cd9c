-- family: audit
-- title: Readers of the audit
-- question: Who read, asked and exported what of the audit?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: readings texts = @readings | types that tell of a reading
-- parameter: limit integer = 100 | rows at most
-- column: person text | who
-- column: type text | audit-read, audit-exported or query-run
-- column: what text | what was asked: events, activity, a report, SQL
-- column: format text | the form of the answer
-- column: readings integer readings | how many
-- column: refused integer readings | how many of them got no answer
-- column: asked json | the filter or the SQL of the latest
-- column: first time | first in this time
-- column: last time | last in this time
-- chart: bar x=readings y=person
-- drill: /events?type={type}&parameter=what={what}&parameter=format={format}&user={person}
WITH told AS (
    SELECT
        e."user" AS person,
        e.type,
        coalesce(parameter('what'), e.description) AS what,
        parameter('format') AS format,
        parameter('filter') AS asked,
        e.status,
        e.time,
        row_number() OVER (
            PARTITION BY e."user", e.type, coalesce(parameter('what'), e.description), parameter('format')
            ORDER BY e.time DESC, e.id
        ) AS age
    FROM events e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.type = ANY($readings)
)
SELECT
    person, type, what, format,
    count(*) AS readings,
    sum(CASE WHEN status = 'failed' THEN 1 ELSE 0 END) AS refused,
    max(CASE WHEN age = 1 THEN asked END) AS asked,
    min(time) AS first,
    max(time) AS last,
    count(*) OVER () AS "of"
FROM told
GROUP BY 1, 2, 3, 4
ORDER BY readings DESC, last DESC, person, type, what, format
LIMIT $limit
