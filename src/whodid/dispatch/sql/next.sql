-- The next number behind a gap.
SELECT min(e.seq) AS seq FROM {events} e
WHERE e.receiver = CAST($receiver AS varchar) AND e.seq > CAST($after AS bigint) {since}
