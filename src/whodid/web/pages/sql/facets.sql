-- What the events are: the most frequent values of each facet, counted in one pass.
WITH found AS (
    SELECT e.type AS type, e.level AS level, person() AS login, e.topic AS topic, e.status AS status, e.node AS node
    FROM events e
    WHERE chosen()
), counted AS (
    SELECT
        CASE
            WHEN grouping(type) = 0 THEN 'type'
            WHEN grouping(level) = 0 THEN 'level'
            WHEN grouping(login) = 0 THEN 'user'
            WHEN grouping(topic) = 0 THEN 'topic'
            WHEN grouping(status) = 0 THEN 'status'
            ELSE 'node'
        END AS facet,
        coalesce(type, level, login, topic, status, node) AS value,
        count(*) AS events
    FROM found
    GROUP BY GROUPING SETS ((type), (level), (login), (topic), (status), (node))
), ranked AS (
    SELECT
        facet, value, events,
        row_number() OVER (PARTITION BY facet ORDER BY events DESC, value) AS place,
        count(*) OVER (PARTITION BY facet) AS "of"
    FROM counted
    WHERE value IS NOT NULL
)
SELECT facet, value, events, place, "of"
FROM ranked
WHERE place <= $top
ORDER BY facet, place
