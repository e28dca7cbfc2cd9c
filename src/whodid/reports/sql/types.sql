-- family: overview
-- title: Types
-- question: What is done, how often, by how many?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: limit integer = 100 | rows at most
-- column: type text | the type of event
-- column: level text | its level; empty when its events have several
-- column: topic text | its topic; empty when its events have several
-- column: events integer events | how many
-- column: people integer people | persons who did it, or for whom a program did
-- column: errors integer events | how many of them are errors
-- column: first time | first in this time
-- column: last time | last in this time
-- chart: bar x=events y=type color=level
-- drill: /events?type={type}
WITH told AS (
    SELECT
        e.type, e.who AS person, min(e.level) AS level, max(e.level) AS further_level,
        min(e.topic) AS topic, max(e.topic) AS further_topic,
        sum(e.events) AS events, sum(e.errors) AS errors, min(e.first) AS first, max(e.last) AS last
    FROM event_days e
    WHERE e.time >= $since AND e.time < $until AND chosen()
    GROUP BY 1, 2
)
SELECT
    type,
    CASE WHEN min(level) = max(further_level) THEN min(level) END AS level,
    CASE WHEN min(topic) = max(further_topic) THEN min(topic) END AS topic,
    CAST(sum(events) AS bigint) AS events,
    count(person) AS people,
    CAST(sum(errors) AS bigint) AS errors,
    min(first) AS first,
    max(last) AS last,
    count(*) OVER () AS "of"
FROM told
GROUP BY 1
ORDER BY 4 DESC, 1
LIMIT $limit
