-- family: overview
-- title: Overview
-- question: How much is going on, against the equal time before?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: before time = @before | where the equal time before begins
-- column: measure text | what is counted
-- column: unit text | in what
-- column: value integer | since then
-- column: previous integer | in the equal time before; empty when nothing was recorded then
-- column: change_percent number % | value against previous, to a tenth
-- chart: bar x=value y=measure
WITH seen AS (
    SELECT
        e.time >= $since AS is_current,
        count(DISTINCT CASE WHEN NOT is_program(person()) THEN person() END) AS people,
        count(DISTINCT e.session) AS sessions,
        count(*) AS events,
        count(*) FILTER (WHERE is_run()) AS runs,
        count(*) FILTER (WHERE is_error()) AS errors
    FROM events e
    WHERE e.time >= $before AND e.time < $until AND chosen()
    GROUP BY 1
), first_seen AS (
    SELECT person() AS login, min(e.time) AS at
    FROM events e
    WHERE e.time < $until AND person() IS NOT NULL AND NOT is_program(person())
    GROUP BY 1
), arrivals AS (
    SELECT at >= $since AS is_current, count(*) AS people FROM first_seen WHERE at >= $before GROUP BY 1
), recorded AS (
    SELECT count(*) FILTER (WHERE NOT is_current) AS before FROM seen
), counted AS (
    SELECT 1 AS place, 'active people' AS measure, 'people' AS unit,
        max(people) FILTER (WHERE is_current) AS value, max(people) FILTER (WHERE NOT is_current) AS previous
    FROM seen
    UNION ALL
    SELECT 2, 'new people', 'people',
        max(people) FILTER (WHERE is_current), max(people) FILTER (WHERE NOT is_current)
    FROM arrivals
    UNION ALL
    SELECT 3, 'sessions', 'sessions',
        max(sessions) FILTER (WHERE is_current), max(sessions) FILTER (WHERE NOT is_current)
    FROM seen
    UNION ALL
    SELECT 4, 'events', 'events',
        max(events) FILTER (WHERE is_current), max(events) FILTER (WHERE NOT is_current)
    FROM seen
    UNION ALL
    SELECT 5, 'runs', 'runs', max(runs) FILTER (WHERE is_current), max(runs) FILTER (WHERE NOT is_current)
    FROM seen
    UNION ALL
    SELECT 6, 'errors', 'events', max(errors) FILTER (WHERE is_current), max(errors) FILTER (WHERE NOT is_current)
    FROM seen
), known AS (
    SELECT
        place, measure, unit, coalesce(value, 0) AS value,
        CASE WHEN (SELECT before FROM recorded) > 0 THEN coalesce(previous, 0) END AS previous
    FROM counted
)
SELECT
    measure,
    unit,
    value,
    previous,
    CAST(
        CAST(CAST(value - previous AS double precision) * 100 / nullif(previous, 0) AS decimal(18, 1))
        AS double precision
    ) AS change_percent
FROM known
ORDER BY place
