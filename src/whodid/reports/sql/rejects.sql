-- family: audit
-- title: Rejects
-- question: What could not be read, why, and from whom did it come?
-- parameter: since time = 30d | received from when on
-- parameter: until time = now | until when
-- parameter: limit integer = 100 | rows at most
-- column: code text | why
-- column: format text | the format it was read as
-- column: source text | the file it came from, if it was a file
-- column: key_id text | the key it was received with
-- column: rejects integer events | how many
-- column: message text | the reason in words of one of them
-- column: first time | first in this time
-- column: last time | last in this time
-- chart: bar x=rejects y=code
SELECT
    r.code,
    r.format,
    r.source,
    r.key_id,
    count(*) AS rejects,
    min(r.message) AS message,
    min(r.received_at) AS first,
    max(r.received_at) AS last,
    count(*) OVER () AS "of"
FROM rejected_events r
WHERE r.received_at >= $since AND r.received_at < $until
GROUP BY 1, 2, 3, 4
ORDER BY 5 DESC, 1, 2, 3, 4
LIMIT $limit
