-- family: users
-- title: Groups
-- question: Which groups use it, how much, against the whole organisation?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: before time = @before | where the equal time before begins
-- parameter: member_groups texts = @member_groups | groups of the members
-- parameter: member_logins texts = @member_logins | the members, in the same order
-- parameter: limit integer = 100 | rows at most
-- column: group text | the group; empty for the whole organisation
-- column: members integer users | its members, for the organisation everybody in a group or active
-- column: active integer users | of them, those with an event
-- column: active_percent number % | their share
-- column: previous_active integer users | in the equal time before
-- column: uses integer events | what they did on purpose
-- column: uses_per_user number events | uses of one active user
-- column: against_organisation number ratio | that of the group divided by that of the organisation
-- column: sessions integer sessions | sessions
-- column: runs integer runs | runs
-- column: errors integer events | errors met
-- chart: bar x=against_organisation y=group
-- drill: /groups/{group}
WITH members AS (
    SELECT DISTINCT m."group", m.login FROM (
        SELECT unnest(CAST($member_groups AS varchar[])) AS "group", unnest(CAST($member_logins AS varchar[])) AS login
    ) m
), present AS (
    SELECT
        e.who AS login,
        sum(e.events) AS events,
        sum(e.uses) AS uses,
        sum(e.runs) AS runs,
        sum(e.errors) AS errors
    FROM user_days e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.who IS NOT NULL
    GROUP BY 1
), visits AS (
    SELECT DISTINCT e.who AS login, e.session
    FROM session_days e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.who IS NOT NULL
), visited AS (
    SELECT login, count(session) AS sessions FROM visits GROUP BY 1
), past AS (
    SELECT e.who AS login, sum(e.events) AS events
    FROM user_days e
    WHERE e.time >= $before AND e.time < $since AND chosen() AND e.who IS NOT NULL
    GROUP BY 1
), people AS (
    SELECT
        coalesce(n.login, p.login) AS login, n.events, p.events AS previous_events, n.uses, v.sessions, n.runs, n.errors
    FROM present n FULL JOIN past p ON p.login = n.login LEFT JOIN visited v ON v.login = n.login
), everybody AS (
    SELECT NULL AS "group", login FROM (SELECT login FROM members UNION SELECT login FROM people) b
    UNION ALL
    SELECT "group", login FROM members
), counted AS (
    SELECT
        b."group",
        count(*) AS members,
        count(*) FILTER (WHERE p.events > 0) AS active,
        count(*) FILTER (WHERE p.previous_events > 0) AS previous_active,
        coalesce(sum(p.uses), 0) AS uses,
        coalesce(sum(p.sessions), 0) AS sessions,
        coalesce(sum(p.runs), 0) AS runs,
        coalesce(sum(p.errors), 0) AS errors
    FROM everybody b LEFT JOIN people p ON p.login = b.login
    GROUP BY 1
), organisation AS (
    SELECT CAST(uses AS double precision) / nullif(active, 0) AS uses_per_user FROM counted WHERE "group" IS NULL
)
SELECT
    c."group",
    c.members,
    c.active,
    100 * CAST(c.active AS double precision) / nullif(c.members, 0) AS active_percent,
    c.previous_active,
    CAST(c.uses AS bigint) AS uses,
    CAST(c.uses AS double precision) / nullif(c.active, 0) AS uses_per_user,
    CAST(c.uses AS double precision) / nullif(c.active, 0) / nullif(o.uses_per_user, 0) AS against_organisation,
    CAST(c.sessions AS bigint) AS sessions,
    CAST(c.runs AS bigint) AS runs,
    CAST(c.errors AS bigint) AS errors,
    count(*) OVER () AS "of"
FROM counted c CROSS JOIN organisation o
ORDER BY c."group" IS NOT NULL, c.uses DESC, c."group"
LIMIT $limit
