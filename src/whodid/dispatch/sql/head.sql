-- The highest stored number of one receiver.
SELECT max(e.seq) AS seq FROM {events} e WHERE e.receiver = CAST($receiver AS varchar)
