-- The latest hours with as many events of the wanted kind as are asked for, and how many there are in all of the time.
history_hours AS (
    SELECT hour, CAST(total AS bigint) AS "of"
    FROM (
        SELECT hour, events, sum(events) OVER (ORDER BY hour DESC) AS so_far, sum(events) OVER () AS total
        FROM (
            SELECT date_trunc('hour', e.time) AS hour, sum(e.events) AS events
            FROM entity_hours e
            WHERE e.time >= $since AND e.time < $until AND chosen() AND e.topic <> 'compute-resource-usage'
                AND (CAST($verb AS varchar) = 'any' OR e.verb = $verb)
            GROUP BY 1
        ) counted
    ) added_up
    WHERE so_far - events < $limit
)
