-- By receiver the highest number that is stored.
SELECT e.receiver AS receiver, max(e.seq) AS seq FROM {events} e GROUP BY e.receiver
