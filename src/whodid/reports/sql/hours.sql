-- family: users
-- title: Hours of the week
-- question: When do people work?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- column: weekday integer day | 1 is Monday, 7 Sunday
-- column: day text | its name
-- column: hour integer h | hour of the day in the reader's time zone
-- column: users integer users | active users
-- column: uses integer events | what users did on purpose
-- column: errors integer events | errors met
-- chart: rect x=hour y=weekday color=users
-- drill: /hours/{day}/{hour}
WITH told AS (
    SELECT
        CAST(extract(isodow FROM local(e.time)) AS integer) AS weekday,
        CAST(extract(hour FROM local(e.time)) AS integer) AS hour,
        e.who AS person,
        sum(e.uses) AS uses,
        sum(e.errors) AS errors
    FROM user_hours e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.who IS NOT NULL
    GROUP BY 1, 2, 3
)
SELECT
    weekday,
    CASE weekday
        WHEN 1 THEN 'Monday' WHEN 2 THEN 'Tuesday' WHEN 3 THEN 'Wednesday' WHEN 4 THEN 'Thursday'
        WHEN 5 THEN 'Friday' WHEN 6 THEN 'Saturday' ELSE 'Sunday'
    END AS day,
    hour,
    count(*) AS users,
    CAST(sum(uses) AS bigint) AS uses,
    CAST(sum(errors) AS bigint) AS errors
FROM told
GROUP BY 1, 2, 3
ORDER BY 1, 3
