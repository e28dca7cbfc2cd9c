-- family: overview
-- title: Projects
-- question: Where is it done: in which projects, by how many?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: before time = @before | where the equal time before begins
-- parameter: limit integer = 50 | rows at most
-- parameter: sessions yes|no = yes | no: they are not counted, which takes half as long
-- column: project text | the project's key
-- column: uses integer events | what was done on purpose
-- column: previous_uses integer events | in the equal time before
-- column: users integer users | active users
-- column: previous_users integer users | in the equal time before
-- column: sessions integer sessions | sessions; empty when they are not counted
-- column: runs integer runs | runs
-- column: errors integer events | errors
-- column: trend json | uses in each of twelve equal parts of the time, by whole hours
-- column: last time | the latest event
-- chart: bar x=users y=project
-- drill: /events?project={project}
WITH counted AS (
    SELECT
        project() AS project,
        e.who AS person,
        sum(CASE WHEN e.time >= $since THEN e.events ELSE 0 END) AS events,
        sum(CASE WHEN e.time < $since THEN e.events ELSE 0 END) AS previous_events,
        sum(CASE WHEN e.time >= $since THEN e.uses ELSE 0 END) AS uses,
        sum(CASE WHEN e.time < $since THEN e.uses ELSE 0 END) AS previous_uses,
        sum(CASE WHEN e.time >= $since THEN e.runs ELSE 0 END) AS runs,
        sum(CASE WHEN e.time >= $since THEN e.errors ELSE 0 END) AS errors,
        max(e.last) AS last
    FROM event_days e
    WHERE e.time >= $before AND e.time < $until AND chosen() AND project() IS NOT NULL
    GROUP BY 1, 2
), told AS (
    SELECT
        project,
        CAST(sum(uses) AS bigint) AS uses,
        CAST(sum(previous_uses) AS bigint) AS previous_uses,
        count(CASE WHEN events > 0 THEN person END) AS users,
        count(CASE WHEN previous_events > 0 THEN person END) AS previous_users,
        CAST(sum(runs) AS bigint) AS runs,
        CAST(sum(errors) AS bigint) AS errors,
        max(last) AS last
    FROM counted
    GROUP BY 1
), visits AS (
    SELECT DISTINCT project() AS project, e.session
    FROM session_hours e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND project() IS NOT NULL
        AND CAST($sessions AS varchar) = 'yes'
), visited AS (
    SELECT project, count(session) AS sessions FROM visits GROUP BY 1
), parts AS (
    SELECT project() AS project, twelfth(e.time) AS part, sum(e.uses) AS uses
    FROM event_hours e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND project() IS NOT NULL
    GROUP BY 1, 2
), trends AS (
    SELECT project, trend(part, uses) AS trend FROM parts GROUP BY 1
)
SELECT
    t.project, t.uses, t.previous_uses, t.users, t.previous_users,
    CASE WHEN CAST($sessions AS varchar) = 'yes' THEN coalesce(v.sessions, 0) END AS sessions,
    t.runs, t.errors, d.trend, t.last, count(*) OVER () AS "of"
FROM told t LEFT JOIN visited v ON v.project = t.project LEFT JOIN trends d ON d.project = t.project
ORDER BY t.uses DESC, t.previous_uses DESC, t.project
LIMIT $limit
