-- Queries of API nodes with what they were asked and what they answered, under whichever names these are told: at most
-- $sample of each endpoint and time, by chance but always the same.
counted AS MATERIALIZED (
    SELECT e.service, e.endpoint, e.time >= $since AS is_current, CAST(sum(e.events) AS bigint) AS queries
    FROM version_hours e
    WHERE e.time < $until AND (e.time >= $since OR (e.time >= $reference_since AND e.time < $reference_until))
        AND chosen() AND ($service = '' OR e.service = $service)
    GROUP BY 1, 2, 3
), bound AS MATERIALIZED (
    -- What no endpoint needs, not even the one with the fewest queries, is left out while it is read.
    SELECT (1.5 * $sample + 100) / CAST(min(queries) AS double precision) AS chance FROM counted
), likely AS (
    -- Those of less chance are found by an index; the others are read where they are needed.
    SELECT e.id, e.time, e.service, e.endpoint, e.chance, e.time >= $since AS is_current
    FROM query_events e
    WHERE e.time < $until AND (e.time >= $since OR (e.time >= $reference_since AND e.time < $reference_until))
        AND chosen() AND ($service = '' OR e.service = $service)
        AND e.chance < 0.125 AND e.chance < (SELECT chance FROM bound)
    UNION ALL
    SELECT e.id, e.time, e.service, e.endpoint, e.chance, e.time >= $since
    FROM bound b
    CROSS JOIN query_events e
    WHERE b.chance > 0.125 AND e.chance >= 0.125 AND e.chance < b.chance
        AND e.time < $until AND (e.time >= $since OR (e.time >= $reference_since AND e.time < $reference_until))
        AND chosen() AND ($service = '' OR e.service = $service)
), placed AS (
    -- Half as many more than are wanted, and a hundred, are put in order: chance is even enough for that.
    SELECT
        a.id, a.time, a.service, a.endpoint, a.is_current, a.chance, c.queries,
        row_number() OVER (PARTITION BY a.service, a.endpoint, a.is_current ORDER BY a.chance, a.id) AS place
    FROM likely a
    JOIN counted c ON c.service = a.service AND c.endpoint = a.endpoint AND c.is_current = a.is_current
    WHERE a.chance * c.queries < 1.5 * $sample + 100
), wanted AS MATERIALIZED (
    SELECT id, time, service, endpoint, is_current, chance, queries, place FROM placed WHERE place <= $sample
), answered AS (
    SELECT w.service, w.endpoint, w.is_current, w.place, w.queries, e."parameters"
    FROM wanted w
    JOIN answer_events e ON e.id = w.id AND e.time = w.time
    WHERE w.chance < 0.125 AND e.time < $until
        AND (e.time >= $since OR (e.time >= $reference_since AND e.time < $reference_until))
    UNION ALL
    SELECT w.service, w.endpoint, w.is_current, w.place, w.queries, e."parameters"
    FROM wanted w
    JOIN events e ON e.id = w.id AND e.time = w.time
    WHERE w.chance >= 0.125 AND e.topic = 'apinode-query' AND e.time < $until
        AND (e.time >= $since OR (e.time >= $reference_since AND e.time < $reference_until)) AND seen()
), told AS (
    SELECT
        service, endpoint, is_current, place, queries,
        texts_of(
            "parameters", '/features', '/input', '/inputs', '/record', '/records', '/params', '/query', '/result',
            '/results', '/output', '/outputs', '/response', '/prediction', '/predictions'
        ) AS t
    FROM answered
), sampled AS (
    SELECT
        service, endpoint, is_current, place, queries,
        coalesce(t[1], t[2], t[3], t[4], t[5], t[6], t[7]) AS features,
        coalesce(t[8], t[9], t[10], t[11], t[12], t[13], t[14]) AS result
    FROM told
)
