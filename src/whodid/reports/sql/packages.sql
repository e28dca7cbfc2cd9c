-- family: interface
-- title: Packages and their versions
-- question: Which packages and versions are used, since when are they installed, and do they fail?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: limit integer = 100 | rows at most
-- column: package text | parameter `package`
-- column: version text | parameter `version`; empty where none is told
-- column: uses integer events | what was done on purpose
-- column: users integer users | by how many
-- column: trend json | uses in each of twelve equal parts of the time, by whole hours
-- column: errors integer events | errors that name it
-- column: errors_percent number % | share of its events that are errors
-- column: installed time | when it was published or installed, if that was told
-- column: installation_ms number ms | how long that took
-- column: installed_by text | who did it
-- column: first time | first event in the time
-- column: last time | latest event
-- chart: bar x=uses y=package color=version
-- drill: /events?kind=use&type=!package-published&type=!package-installed&type=!plugin-install&type=!plugin-installed&parameter=package={package}&parameter=version={version}
WITH named AS (
    SELECT
        e.package, e.version, e.who AS person, e.events, e.errors, e.first, e.last, e.uses,
        e.type IN ('package-published', 'package-installed', 'plugin-install', 'plugin-installed') AS is_installation
    FROM entity_days e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.package IS NOT NULL
), counted AS (
    SELECT
        package, version,
        CAST(sum(CASE WHEN is_installation THEN 0 ELSE uses END) AS bigint) AS uses,
        count(DISTINCT CASE WHEN NOT is_installation THEN person END) AS users,
        CAST(sum(errors) AS bigint) AS errors,
        CAST(sum(events) AS bigint) AS events,
        min(first) AS first,
        max(last) AS last
    FROM named
    GROUP BY 1, 2
), parts AS (
    SELECT e.package, e.version, twelfth(e.time) AS part, sum(e.uses) AS uses
    FROM entity_hours e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.package IS NOT NULL
        AND e.type NOT IN ('package-published', 'package-installed', 'plugin-install', 'plugin-installed')
    GROUP BY 1, 2, 3
), trends AS (
    SELECT package, version, trend(part, uses) AS trend FROM parts GROUP BY 1, 2
), arrived AS (
    SELECT e.package, e.version, min(e.first) AS time
    FROM thing_days e
    WHERE e.time < $until AND seen() AND e.package IS NOT NULL AND e.version IS NOT NULL
        AND e.type IN ('package-published', 'package-installed', 'plugin-install', 'plugin-installed')
    GROUP BY 1, 2
), installed AS (
    SELECT
        a.package, a.version, a.time, e.duration_ms, who() AS person,
        row_number() OVER (PARTITION BY a.package, a.version ORDER BY who()) AS place
    FROM arrived a JOIN events e ON e.time = a.time
    WHERE e.time < $until AND seen() AND parameter('package') = a.package AND parameter('version') = a.version
        AND e.type IN ('package-published', 'package-installed', 'plugin-install', 'plugin-installed')
)
SELECT
    c.package, c.version, c.uses, c.users, t.trend, c.errors,
    100 * CAST(c.errors AS double precision) / c.events AS errors_percent,
    i.time AS installed, i.duration_ms AS installation_ms, i.person AS installed_by, c.first, c.last,
    count(*) OVER () AS "of"
FROM counted c
LEFT JOIN trends t ON t.package = c.package AND t.version IS NOT DISTINCT FROM c.version
LEFT JOIN installed i ON i.package = c.package AND i.version = c.version AND i.place = 1
ORDER BY c.uses DESC, c.errors DESC, c.package, c.version
LIMIT $limit
