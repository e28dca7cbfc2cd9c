-- How many events there are.
SELECT count(*) AS events
FROM events e
WHERE chosen()
