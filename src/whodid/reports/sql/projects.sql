-- family: overview
-- title: Projects
-- question: Where is it done: in which projects, by how many?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: before time = @before | where the equal time before begins
-- parameter: limit integer = 50 | rows at most
-- column: project text | the project's key
-- column: uses integer events | what was done on purpose
-- column: previous_uses integer events | in the equal time before
-- column: users integer users | active users
-- column: previous_users integer users | in the equal time before
-- column: sessions integer sessions | sessions
-- column: runs integer runs | runs
-- column: errors integer events | errors
-- column: last time | the latest event
-- chart: bar x=users y=project
-- drill: /events?project={project}
WITH counted AS (
    SELECT
        project() AS project,
        count(*) FILTER (WHERE e.time >= $since) AS events,
        count(*) FILTER (WHERE e.time >= $since AND is_use()) AS uses,
        count(*) FILTER (WHERE e.time < $since AND is_use()) AS previous_uses,
        count(DISTINCT CASE WHEN e.time >= $since THEN who() END) AS users,
        count(DISTINCT CASE WHEN e.time < $since THEN who() END) AS previous_users,
        count(DISTINCT CASE WHEN e.time >= $since THEN e.session END) AS sessions,
        count(*) FILTER (WHERE e.time >= $since AND is_run()) AS runs,
        count(*) FILTER (WHERE e.time >= $since AND is_error()) AS errors,
        max(e.time) AS last
    FROM events e
    WHERE e.time >= $before AND e.time < $until AND chosen() AND project() IS NOT NULL
    GROUP BY 1
)
SELECT
    project, uses, previous_uses, users, previous_users, sessions, runs, errors, last, count(*) OVER () AS "of"
FROM counted
ORDER BY uses DESC, previous_uses DESC, project
LIMIT $limit
