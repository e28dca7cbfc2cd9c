-- How many events, and how many of them errors, in each minute, hour or day of the reader's time zone.
SELECT
    CAST(period($step, local(e.time)) AS varchar) AS at,
    count(*) AS events,
    count(*) FILTER (WHERE is_error()) AS errors
FROM events e
WHERE chosen()
GROUP BY 1
ORDER BY 1
