-- family: entities
-- title: History of a thing
-- question: What became of it: made, edited, shared, run, read, exported, deleted, by whom?
-- parameter: since time = 3650d | from when on
-- parameter: until time = now | until when
-- parameter: verb any|made|edited|shared|run|read|exported|deleted|failed|other = any | only what was done so
-- parameter: limit integer = 200 | rows at most
-- column: time time | when
-- column: verb text | made, edited, shared, run, read, exported, deleted, failed or other
-- column: type text | the type of event
-- column: person text | the user or program that did it
-- column: via text | the scenario, webapp, notebook or job that did it for them
-- column: entity_type text | type of the first thing that the event touched
-- column: entity_id text | its id
-- column: entity_name text | its name at that time
-- column: changed json | which of its fields were changed, where that was told
-- column: before json | what stood there before
-- column: after json | what stands there since
-- column: description text | in words; `@name` stands for a parameter
-- column: status text | what came of it
-- column: duration_ms number ms | how long it took
-- column: id uuid | the event
-- chart: point x=time y=verb
-- drill: /events/{id}
WITH counted AS MATERIALIZED (
    SELECT date_trunc('hour', e.time) AS hour, CAST(sum(e.events) AS bigint) AS events
    FROM entity_hours e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.topic <> 'compute-resource-usage'
        AND (CAST($verb AS varchar) = 'any' OR e.verb = $verb)
    GROUP BY 1
), latest AS (
    -- Hours with as many of them as are wanted: of a thing with many events no others are read.
    SELECT hour
    FROM (SELECT hour, events, sum(events) OVER (ORDER BY hour DESC) AS so_far FROM counted) added_up
    WHERE so_far - events < $limit
), earliest AS (
    -- Where there are none, an engine that compares with NULL would read all events.
    SELECT coalesce(min(hour), CAST($until AS timestamp)) AS time FROM latest
)
SELECT found.*, (SELECT CAST(coalesce(sum(events), 0) AS bigint) FROM counted) AS "of"
FROM (
    SELECT
        e.time,
        verb() AS verb,
        e.type,
        person() AS person,
        e.via,
        e.entity_type,
        e.entity_id,
        e.entity_name,
        parameter('changed') AS changed,
        parameter('before') AS before,
        parameter('after') AS after,
        e.description,
        e.status,
        e.duration_ms,
        CAST(e.id AS varchar) AS id
    FROM latest l
    JOIN events e ON e.time >= l.hour AND e.time < l.hour + INTERVAL '1 hour'
    WHERE e.time >= $since AND e.time < $until AND e.time >= (SELECT time FROM earliest)
        AND chosen_since((SELECT time FROM earliest)) AND e.topic <> 'compute-resource-usage'
        AND (CAST($verb AS varchar) IN ('any', 'failed', 'run', 'other') OR verb_by_type() = $verb)
        AND (CAST($verb AS varchar) = 'any' OR verb() = $verb)
    ORDER BY e.time DESC, e.id DESC
    LIMIT $limit
) found
ORDER BY time DESC, id DESC
