-- family: users
-- title: Fading users
-- question: Who does much less than they used to?
-- parameter: since time = 14d | from when on
-- parameter: until time = now | until when
-- parameter: span number = @weeks | the time in weeks
-- parameter: weeks integer = 8 | so many weeks before `since` are a user's own past
-- parameter: past time = @own_past | where the own past begins
-- parameter: at_least integer = 5 | uses a week that a user must have had
-- parameter: percent integer = 50 | fading is who does less than this share of the own past
-- parameter: limit integer = 50 | rows at most
-- column: person text | login of a user
-- column: usual_per_week number events | uses a week in the own past, from the first week with one on
-- column: per_week number events | uses a week in the time
-- column: change_percent number % | the time against the own past
-- column: weeks_active integer weeks | weeks of the past with a use
-- column: last time | the latest that they did in a week with a use
-- chart: bar x=change_percent y=person
-- drill: /users/{person}
WITH weekly AS (
    SELECT
        e.who AS person,
        e.time >= $since AS is_recent,
        date_trunc('week', local(e.time)) AS week,
        sum(e.uses) AS uses,
        min(e.first) AS first,
        max(e.last) AS last
    FROM user_days e
    WHERE e.time >= $past AND e.time < $until AND chosen() AND e.who IS NOT NULL
    GROUP BY 1, 2, 3
), counted AS (
    SELECT
        person,
        sum(CASE WHEN is_recent THEN uses ELSE 0 END) AS recent,
        sum(CASE WHEN is_recent THEN 0 ELSE uses END) AS past,
        min(first) AS first,
        sum(CASE WHEN is_recent THEN 0 ELSE 1 END) AS weeks_active,
        max(last) AS last
    FROM weekly
    WHERE uses > 0
    GROUP BY 1
), rates AS (
    SELECT
        person, weeks_active, last,
        recent / nullif(CAST($span AS double precision), 0) AS per_week,
        past / greatest(
            CAST(1 AS double precision),
            CAST(extract(epoch FROM CAST($since AS timestamp) - first) AS double precision) / 604800
        ) AS usual_per_week
    FROM counted
    WHERE past > 0
)
SELECT
    person, usual_per_week, per_week, 100 * (per_week / usual_per_week - 1) AS change_percent,
    CAST(weeks_active AS bigint) AS weeks_active, last,
    count(*) OVER () AS "of"
FROM rates
WHERE usual_per_week >= $at_least AND per_week < usual_per_week * $percent / 100
ORDER BY usual_per_week - per_week DESC, person
LIMIT $limit
