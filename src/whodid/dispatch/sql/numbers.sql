-- Which numbers of a range are stored.
SELECT e.seq AS seq FROM {events} e
WHERE e.receiver = CAST($receiver AS varchar) AND e.seq > CAST($after AS bigint) AND e.seq <= CAST($last AS bigint)
