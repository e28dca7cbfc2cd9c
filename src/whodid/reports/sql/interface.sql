-- family: interface
-- title: Menus, dialogs, clicks, commands
-- question: What of the interface is used, by how many, and what is followed by an error?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: order most|errors = most | the most used first, or only those that errors followed, by how often
-- parameter: limit integer = 100 | rows at most
-- column: kind text | menu, dialog, click, command or input
-- column: item text | its name
-- column: uses integer events | how often; a dialog is used when it is shown
-- column: users integer users | by how many
-- column: errors_after integer events | uses followed by an error within 5 s, in the same session or request
-- column: errors_percent number % | their share of the uses
-- column: first time | first use in the time
-- column: last time | latest use
-- chart: bar x=uses y=item color=kind
WITH failures AS NOT MATERIALIZED (
    -- Read twice, because only of a table does an engine know how often a session or request occurs in it.
    SELECT e.session, e.request_id, e.time
    FROM error_events e
    WHERE e.time >= $since AND e.time < CAST($until AS timestamp) + INTERVAL '5 seconds' AND seen()
        AND (e.session IS NOT NULL OR e.request_id IS NOT NULL)
), used AS NOT MATERIALIZED (
    SELECT e.id, e.kind, e.item, e.time, e.session, e.request_id
    FROM item_events e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.item IS NOT NULL
), followed AS (
    SELECT u.id, u.kind, u.item
    FROM used u JOIN failures f ON f.session = u.session
    WHERE f.time >= u.time AND f.time <= u.time + INTERVAL '5 seconds'
    UNION
    SELECT u.id, u.kind, u.item
    FROM used u JOIN failures f ON f.request_id = u.request_id
    WHERE f.time >= u.time AND f.time <= u.time + INTERVAL '5 seconds'
), failed AS (
    SELECT kind, item, count(*) AS errors_after FROM followed GROUP BY 1, 2
), people AS (
    SELECT e.kind, e.item, e.who AS person, sum(e.events) AS uses, min(e.first) AS first, max(e.last) AS last
    FROM item_hours e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.item IS NOT NULL
    GROUP BY 1, 2, 3
), counted AS (
    SELECT
        kind, item, CAST(sum(uses) AS bigint) AS uses, count(person) AS users, min(first) AS first, max(last) AS last
    FROM people
    GROUP BY 1, 2
)
SELECT
    c.kind, c.item, c.uses, c.users, coalesce(f.errors_after, 0) AS errors_after,
    100 * CAST(coalesce(f.errors_after, 0) AS double precision) / c.uses AS errors_percent,
    c.first, c.last, count(*) OVER () AS "of"
FROM counted c LEFT JOIN failed f ON f.kind = c.kind AND f.item = c.item
WHERE CAST($order AS varchar) <> 'errors' OR f.errors_after > 0
ORDER BY CASE WHEN CAST($order AS varchar) = 'errors' THEN f.errors_after END DESC NULLS LAST, c.uses DESC, c.kind, c.item
LIMIT $limit
