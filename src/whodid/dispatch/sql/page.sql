-- A receiver's events within a range of its numbers, in order.
SELECT {columns} FROM {events} e
WHERE e.receiver = CAST($receiver AS varchar) AND e.seq > CAST($after AS bigint) AND e.seq <= CAST($last AS bigint)
    {since}
ORDER BY e.seq
