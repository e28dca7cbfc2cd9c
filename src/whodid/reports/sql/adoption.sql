-- family: adoption
-- title: Adoption
-- question: How far is the instance adopted, and what stretch of time do these numbers rest on?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: before time = @before | where the equal time before begins
-- column: measure text | what is counted
-- column: unit text | in what
-- column: value integer | in the time
-- column: previous integer | in the equal time before; empty when most of it was not recorded
-- column: first time | the first event behind it in the time
-- column: last time | the latest
-- chart: bar x=value y=measure
WITH people AS (
    SELECT
        e.time >= $since AS is_current, e.who AS person,
        max(CASE WHEN e.uses > 0 AND e.by_hand THEN 1 ELSE 0 END) AS by_hand,
        max(CASE WHEN e.uses > 0 AND e.by_hand AND e.verb IN ('made', 'edited') THEN 1 ELSE 0 END) AS makes
    FROM entity_days e
    WHERE e.time >= $before AND e.time < $until AND chosen() AND e.who IS NOT NULL
    GROUP BY 1, 2
), projects AS (
    SELECT
        e.time >= $since AS is_current, e.project,
        max(CASE WHEN e.verb IN ('made', 'edited') AND e.topic <> 'compute-resource-usage' THEN 1 ELSE 0 END)
            AS is_edited
    FROM entity_days e
    WHERE e.time >= $before AND e.time < $until AND chosen() AND e.project IS NOT NULL
    GROUP BY 1, 2
), kinds AS (
    SELECT DISTINCT e.time >= $since AS is_current, e.type, e.node
    FROM entity_days e
    WHERE e.time >= $before AND e.time < $until AND chosen()
), days AS (
    SELECT
        e.time >= $since AS is_current, date_trunc('day', local(e.time)) AS day, sum(e.events) AS events,
        min(e.first) AS first, max(e.last) AS last
    FROM user_days e
    WHERE e.time >= $before AND e.time < $until AND chosen()
    GROUP BY 1, 2
), counted AS (
    SELECT
        d.is_current, min(d.first) AS first, max(d.last) AS last,
        CAST(max(p.people) AS bigint) AS people,
        CAST(max(p.by_hand) AS bigint) AS by_hand,
        CAST(max(p.makers) AS bigint) AS makers,
        CAST(max(j.projects) AS bigint) AS projects,
        CAST(max(j.projects_edited) AS bigint) AS projects_edited,
        CAST(max(k.types) AS bigint) AS types,
        CAST(max(k.nodes) AS bigint) AS nodes,
        CAST(count(*) AS bigint) AS days,
        CAST(sum(d.events) AS bigint) AS events
    FROM days d
    JOIN (
        SELECT is_current, count(DISTINCT type) AS types, count(DISTINCT node) AS nodes FROM kinds GROUP BY 1
    ) k ON k.is_current = d.is_current
    LEFT JOIN (
        SELECT is_current, count(*) AS people, sum(by_hand) AS by_hand, sum(makes) AS makers FROM people GROUP BY 1
    ) p ON p.is_current = d.is_current
    LEFT JOIN (
        SELECT is_current, count(*) AS projects, sum(is_edited) AS projects_edited FROM projects GROUP BY 1
    ) j ON j.is_current = d.is_current
    GROUP BY 1
), recorded AS (
    SELECT
        min(e.time) <= CAST($before AS timestamp) + (CAST($since AS timestamp) - CAST($before AS timestamp)) * 0.1
            AS has_previous
    FROM events e
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
