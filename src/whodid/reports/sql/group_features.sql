-- family: users
-- title: What groups use
-- question: Which features go with which groups?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: member_groups texts = @member_groups | groups of the members
-- parameter: member_logins texts = @member_logins | the members, in the same order
-- parameter: at_least integer = 3 | users of the group who use it at least
-- parameter: limit integer = 100 | rows at most
-- column: group text | the group
-- column: feature text | the function, else the type of event
-- column: kind text | function or type
-- column: users integer users | active users of the group who used it
-- column: group_percent number % | their share of the group's active users
-- column: all_percent number % | share of all active users who used it
-- column: lift number ratio | the group's share divided by that of all
-- column: correlation number phi | between being in the group and using it: -1 to 1
-- chart: bar x=lift y=feature color=group
-- drill: /events?kind=use&group={group}&{kind}={feature}
WITH members AS (
    SELECT DISTINCT m."group", m.login FROM (
        SELECT unnest(CAST($member_groups AS varchar[])) AS "group", unnest(CAST($member_logins AS varchar[])) AS login
    ) m
), used AS (
    SELECT e.who AS login, coalesce(e.function, e.type) AS feature, e.function IS NULL AS is_type
    FROM event_days e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.uses > 0 AND e.who IS NOT NULL
    GROUP BY 1, 2, 3
), people AS (
    SELECT DISTINCT login FROM used
), everybody AS (
    SELECT CAST(count(*) AS double precision) AS users FROM people
), by_feature AS (
    SELECT feature, is_type, CAST(count(*) AS double precision) AS users FROM used GROUP BY 1, 2
), by_group AS (
    SELECT m."group", CAST(count(*) AS double precision) AS users
    FROM members m JOIN people p ON p.login = m.login
    GROUP BY 1
), by_both AS (
    SELECT m."group", u.feature, u.is_type, count(*) AS users
    FROM used u JOIN members m ON m.login = u.login
    GROUP BY 1, 2, 3
), told AS (
    SELECT
        b."group", b.feature, b.is_type, b.users, b.users / g.users AS group_share, f.users / n.users AS all_share,
        (b.users * n.users - f.users * g.users)
            / nullif(sqrt(f.users * (n.users - f.users)) * sqrt(g.users * (n.users - g.users)), 0) AS correlation
    FROM by_both b
    JOIN by_feature f ON f.feature = b.feature AND f.is_type = b.is_type
    JOIN by_group g ON g."group" = b."group"
    CROSS JOIN everybody n
    WHERE b.users >= $at_least
)
SELECT
    "group",
    feature,
    CASE WHEN is_type THEN 'type' ELSE 'function' END AS kind,
    users,
    100 * group_share AS group_percent,
    100 * all_share AS all_percent,
    group_share / all_share AS lift,
    correlation,
    count(*) OVER () AS "of"
FROM told
ORDER BY CAST(correlation AS decimal(18, 9)) DESC NULLS LAST, users DESC, "group", feature, is_type
LIMIT $limit
