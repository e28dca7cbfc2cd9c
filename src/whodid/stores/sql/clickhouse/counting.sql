-- Which days are counted, and counting them. {latest} are what holds for each day: its counting, whether that is whole,
-- and when that was said.

-- name: latest
(
    SELECT day, tupleElement(said, 1) AS counting, tupleElement(said, 2) AS is_whole, tupleElement(said, 3) AS said_at
    FROM (SELECT day, argMax((counting, is_whole, said_at), number) AS said FROM counted_days GROUP BY day)
)

-- name: holding
SELECT day, counting FROM {latest} WHERE is_whole AND day > {aged}

-- name: changed
-- Days of which something is counted, or is being counted, are no longer what they were.
INSERT INTO counted_days
SELECT day, (SELECT max(number) FROM counted_days) + 1, 0, false, now64(6, 'UTC') FROM {latest}
WHERE counting > 0 AND {which} AND {in_turn}

-- name: waiting
-- Days that are over, the newest first, with their number of rows (a cluster's replicas count, too).
SELECT toUInt32OrZero(partition) AS day, toInt64(sum(rows)) AS rows_of_day
FROM {parts} AND table = 'events{suffix}'
GROUP BY day
HAVING
    day != toYYYYMMDD(now('UTC')) AND day > {aged} AND day NOT IN (
        SELECT day FROM {latest}
        WHERE
            is_whole
            OR said_at >= now64(6, 'UTC') - toIntervalSecond(if(counting > 0, {counting_s}, {changed_s}))
    )
ORDER BY day DESC
LIMIT 1

-- name: next_number
SELECT max(number) + 1 FROM counted_days

-- name: begin
INSERT INTO counted_days SELECT {day}, {number}, {number}, false, now64(6, 'UTC') WHERE {in_turn}

-- name: finish
INSERT INTO counted_days
SELECT {day}, (SELECT max(number) FROM counted_days) + 1, {number}, true, now64(6, 'UTC')
WHERE (SELECT argMax(counting, number) FROM counted_days WHERE day = {day}) = {number} AND {in_turn}

-- name: passed
-- Countings that hold no longer, with the tables that have rows of them.
SELECT DISTINCT table, toInt64OrZero(partition) AS counting
FROM {parts} AND table LIKE 'kept\_%'
    AND toInt64OrZero(partition) NOT IN (SELECT counting FROM {latest} WHERE counting > 0 AND day > {aged})
