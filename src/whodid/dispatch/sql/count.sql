-- How many events of a range of a receiver's numbers are stored.
SELECT count(*) AS n FROM {events} e
WHERE e.receiver = CAST($receiver AS varchar) AND e.seq > CAST($after AS bigint) AND e.seq <= CAST($last AS bigint)
