-- family: adoption
-- title: Adoption
-- question: How far is the instance adopted, and what stretch of time do these numbers rest on?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: before time = @before | where the equal time before begins
-- column: measure text | what is counted
-- column: unit text | in what
-- column: value number | in the time
-- column: previous number | in the equal time before; empty when most of it was not recorded
-- column: first time | the first event behind it in the time
-- column: last time | the latest
-- chart: bar x=value y=measure
WITH told AS (
    SELECT
        e.time >= $since AS is_current, e.who AS person, e.project, e.type, e.node,
        date_trunc('day', local(e.time)) AS day, e.uses > 0 AND e.by_hand AS by_hand,
        e.verb IN ('made', 'edited') AS is_edit, sum(e.events) AS events, min(e.first) AS first, max(e.last) AS last
    FROM thing_hours e
    WHERE e.time >= $before AND e.time < $until AND chosen()
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
), counted AS (
    SELECT
        is_current,
        CAST(count(DISTINCT person) AS double precision) AS people,
        CAST(count(DISTINCT CASE WHEN by_hand THEN person END) AS double precision) AS by_hand,
        CAST(count(DISTINCT CASE WHEN is_edit AND by_hand THEN person END) AS double precision) AS makers,
        CAST(count(DISTINCT project) AS double precision) AS projects,
        CAST(count(DISTINCT CASE WHEN is_edit THEN project END) AS double precision) AS projects_edited,
        CAST(count(DISTINCT type) AS double precision) AS types,
        CAST(count(DISTINCT node) AS double precision) AS nodes,
        CAST(count(DISTINCT day) AS double precision) AS days,
        CAST(sum(events) AS double precision) AS events,
        min(first) AS first, max(last) AS last
    FROM told
    GROUP BY 1
), recorded AS (
    SELECT
        min(e.first) <= CAST($before AS timestamp) + (CAST($since AS timestamp) - CAST($before AS timestamp)) * 0.1
            AS has_previous
    FROM user_hours e
    WHERE seen()
), measures AS (
    SELECT is_current, 1 AS place, 'active people' AS measure, 'people' AS unit, people AS value, first, last FROM counted
    UNION ALL
    SELECT is_current, 2, 'people at the screen', 'people', by_hand, first, last FROM counted
    UNION ALL
    SELECT is_current, 3, 'people who make or change things', 'people', makers, first, last FROM counted
    UNION ALL
    SELECT is_current, 4, 'projects touched', 'projects', projects, first, last FROM counted
    UNION ALL
    SELECT is_current, 5, 'projects changed', 'projects', projects_edited, first, last FROM counted
    UNION ALL
    SELECT is_current, 6, 'message types', 'types', types, first, last FROM counted
    UNION ALL
    SELECT is_current, 7, 'nodes', 'nodes', nodes, first, last FROM counted
    UNION ALL
    SELECT is_current, 8, 'days with events', 'days', days, first, last FROM counted
    UNION ALL
    SELECT is_current, 9, 'events', 'events', events, first, last FROM counted
)
SELECT
    m.measure, m.unit,
    coalesce(max(CASE WHEN m.is_current THEN m.value END), 0) AS value,
    CASE WHEN bool_or(r.has_previous) THEN coalesce(max(CASE WHEN NOT m.is_current THEN m.value END), 0) END AS previous,
    max(CASE WHEN m.is_current THEN m.first END) AS first,
    max(CASE WHEN m.is_current THEN m.last END) AS last
FROM measures m CROSS JOIN recorded r
GROUP BY m.place, m.measure, m.unit
ORDER BY m.place
