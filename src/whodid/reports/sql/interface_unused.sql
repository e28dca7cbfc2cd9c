-- family: interface
-- title: Least and never used
-- question: Which known items of the interface are used least, or never?
-- parameter: since time = 90d | from when on
-- parameter: until time = now | until when
-- parameter: at_most integer = 10 | items used no more often than this
-- parameter: limit integer = 100 | rows at most
-- column: kind text | menu, dialog, click, command or input
-- column: item text | its name
-- column: uses integer events | in the time
-- column: users integer users | by how many
-- column: ever integer events | uses since the first event of all; 0 is never
-- column: last time | the latest use of all; empty if there is none
-- column: registered_by text | the application or package that named it; empty for items known only from use
-- column: registered_at time | when it did so last
-- chart: bar x=uses y=item color=kind
WITH announced AS MATERIALIZED (
    SELECT
        coalesce(parameter('kind'), 'menu') AS kind, coalesce(parameter('package'), e.entity_id) AS by, e.time, e.type,
        e."parameters" AS told
    FROM events e
    WHERE e.time < $until AND seen() AND e.type = ANY(ARRAY['package-published', 'interface-registered'])
), registered AS (
    SELECT kind, item, max(by) AS registered_by, max(time) AS registered_at
    FROM (
        SELECT kind, texts_of(elements_of(told, '/menuItems'), '')[1] AS item, by, time FROM announced
        UNION ALL
        SELECT kind, texts_of(elements_of(told, '/items'), '')[1], by, time
        FROM announced
        WHERE type = 'interface-registered'
    ) named
    WHERE item IS NOT NULL
    GROUP BY 1, 2
), people AS (
    SELECT
        e.kind, e.item, e.who AS person, sum(CASE WHEN e.time >= $since THEN e.events ELSE 0 END) AS uses,
        sum(e.events) AS ever, max(e.last) AS last
    FROM item_hours e
    WHERE e.time < $until AND chosen() AND e.item IS NOT NULL
    GROUP BY 1, 2, 3
), counted AS (
    SELECT
        kind, item, CAST(sum(uses) AS bigint) AS uses, count(CASE WHEN uses > 0 THEN person END) AS users,
        CAST(sum(ever) AS bigint) AS ever, max(last) AS last
    FROM people
    GROUP BY 1, 2
), known AS (
    SELECT
        coalesce(r.kind, c.kind) AS kind, coalesce(r.item, c.item) AS item, coalesce(c.uses, 0) AS uses,
        coalesce(c.users, 0) AS users, coalesce(c.ever, 0) AS ever, c.last, r.registered_by, r.registered_at
    FROM registered r FULL JOIN counted c ON c.kind = r.kind AND c.item = r.item
)
SELECT kind, item, uses, users, ever, last, registered_by, registered_at, count(*) OVER () AS "of"
FROM known
WHERE uses <= $at_most
ORDER BY uses, ever, kind, item
LIMIT $limit
