-- family: users
-- title: One hour of the week
-- question: On which dates did people work in one hour of the week?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: day Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday = Monday | day of the week
-- parameter: hour 0|1|2|3|4|5|6|7|8|9|10|11|12|13|14|15|16|17|18|19|20|21|22|23 = 9 | hour of the day
-- column: begins local | when it began, in the reader's time zone
-- column: ends local | when it was over
-- column: users integer users | active users
-- column: events integer events | events of users
-- column: uses integer events | what users did on purpose
-- column: errors integer events | errors met
-- chart: bar x=begins y=users
-- drill: /events?since={begins}&until={ends}
WITH told AS (
    SELECT
        date_trunc('hour', local(e.time)) AS here, e.who AS person,
        sum(e.events) AS events,
        sum(e.uses) AS uses,
        sum(e.errors) AS errors
    FROM user_hours e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.who IS NOT NULL
    GROUP BY 1, 2
)
SELECT
    CAST(here AS varchar) AS begins,
    CAST(here + INTERVAL '1 hour' AS varchar) AS ends,
    count(*) AS users,
    CAST(sum(events) AS bigint) AS events,
    CAST(sum(uses) AS bigint) AS uses,
    CAST(sum(errors) AS bigint) AS errors
FROM told
WHERE CAST(CAST(extract(hour FROM here) AS integer) AS varchar) = $hour
    AND CASE CAST(extract(isodow FROM here) AS integer)
        WHEN 1 THEN 'Monday' WHEN 2 THEN 'Tuesday' WHEN 3 THEN 'Wednesday' WHEN 4 THEN 'Thursday'
        WHEN 5 THEN 'Friday' WHEN 6 THEN 'Saturday' ELSE 'Sunday'
    END = $day
GROUP BY here
ORDER BY here DESC
