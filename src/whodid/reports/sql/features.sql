-- family: users
-- title: Features
-- question: How many use each feature, and is it gaining or losing?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: before time = @before | where the equal time before begins
-- parameter: limit integer = 100 | rows at most
-- column: feature text | the function, else the type of event
-- column: kind text | function or type
-- column: users integer users | users who used it
-- column: previous_users integer users | in the equal time before
-- column: user_percent number % | share of all active users of the time
-- column: uses integer events | how often
-- column: uses_per_user number events | of one of its users
-- column: first time | first use in both times
-- column: last time | latest use
-- chart: bar x=users y=feature color=kind
-- drill: /events?kind=use&{kind}={feature}
WITH used AS (
    SELECT
        coalesce(e.function, e.type) AS feature,
        e.function IS NULL AS is_type,
        e.who AS login,
        sum(CASE WHEN e.time >= $since THEN e.events ELSE 0 END) AS uses,
        sum(CASE WHEN e.time < $since THEN e.events ELSE 0 END) AS previous_uses,
        min(e.first) AS first,
        max(e.last) AS last
    FROM event_days e
    WHERE e.time >= $before AND e.time < $until AND chosen() AND e.uses > 0 AND e.who IS NOT NULL
    GROUP BY 1, 2, 3
), everybody AS (
    SELECT count(DISTINCT login) AS users FROM used WHERE uses > 0
), counted AS (
    SELECT
        feature, is_type,
        count(*) FILTER (WHERE uses > 0) AS users,
        count(*) FILTER (WHERE previous_uses > 0) AS previous_users,
        CAST(sum(uses) AS bigint) AS uses,
        min(first) AS first,
        max(last) AS last
    FROM used
    GROUP BY 1, 2
)
SELECT
    c.feature, CASE WHEN c.is_type THEN 'type' ELSE 'function' END AS kind, c.users, c.previous_users,
    100 * CAST(c.users AS double precision) / nullif(n.users, 0) AS user_percent,
    c.uses,
    CAST(c.uses AS double precision) / nullif(c.users, 0) AS uses_per_user,
    c.first, c.last,
    count(*) OVER () AS "of"
FROM counted c CROSS JOIN everybody n
ORDER BY c.users DESC, c.uses DESC, c.feature, c.is_type
LIMIT $limit
