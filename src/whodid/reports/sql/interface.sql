-- family: interface
-- title: Menus, dialogs, clicks, commands
-- question: What of the interface is used, by how many, and what is followed by an error?
-- with: items_used
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: begin time = @since | what is read begins here
-- parameter: order most|errors = most | the most used first, or those most followed by errors
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
-- drill: /events?parameter=item={item}
, failures AS (
    SELECT e.session, e.request_id, e.time
    FROM events e
    WHERE e.time >= $since AND e.time < CAST($until AS timestamp) + INTERVAL '5 seconds' AND is_error()
        AND (e.session IS NOT NULL OR e.request_id IS NOT NULL)
), followed AS (
    SELECT u.id
    FROM items_used u JOIN failures f ON f.session = u.session
    WHERE f.time >= u.time AND f.time <= u.time + INTERVAL '5 seconds'
    UNION
    SELECT u.id
    FROM items_used u JOIN failures f ON f.request_id = u.request_id
    WHERE f.time >= u.time AND f.time <= u.time + INTERVAL '5 seconds'
), counted AS (
    SELECT
        u.kind, u.item, count(*) AS uses, count(DISTINCT u.person) AS users, count(f.id) AS errors_after,
        min(u.time) AS first, max(u.time) AS last
    FROM items_used u LEFT JOIN followed f ON f.id = u.id
    GROUP BY 1, 2
)
SELECT
    kind, item, uses, users, errors_after,
    100 * CAST(errors_after AS double precision) / uses AS errors_percent,
    first, last, count(*) OVER () AS "of"
FROM counted
ORDER BY CASE WHEN CAST($order AS varchar) = 'errors' THEN errors_after END DESC NULLS LAST, uses DESC, kind, item
LIMIT $limit
