-- family: errors
-- title: Errors
-- question: Which errors happen, to how many, and when first and last in this time?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: limit integer = 50 | rows at most
-- column: error_hash uuid | the group, from the stack trace; errors without one are grouped by their message
-- column: message text | the message of the latest
-- column: errors integer events | how many
-- column: people integer people | persons who met it
-- column: first time | first in this time; the report error-groups tells the first ever
-- column: last time | last in this time
-- column: version text | the latest version told with it
-- chart: bar x=errors y=message
-- drill: /errors/{error_hash}
WITH found AS (
    SELECT
        e.error_hash, coalesce(e.told, e.type) AS message, e.time, e.who AS person, e.version,
        row_number() OVER (
            PARTITION BY
                e.error_hash,
                CASE WHEN e.error_hash IS NULL THEN coalesce(e.told, e.type) END
            ORDER BY e.time DESC, e.id
        ) AS age
    FROM error_events e
    WHERE e.time >= $since AND e.time < $until AND chosen()
)
SELECT
    error_hash,
    max(CASE WHEN age = 1 THEN message END) AS message,
    count(*) AS errors,
    count(DISTINCT person) AS people,
    min(time) AS first,
    max(time) AS last,
    max(CASE WHEN age = 1 THEN version END) AS version,
    count(*) OVER () AS "of"
FROM found
GROUP BY error_hash, CASE WHEN error_hash IS NULL THEN message END
ORDER BY errors DESC, last DESC, message
LIMIT $limit
