-- family: entities
-- title: History of a thing
-- question: What became of it: made, edited, shared, run, read, exported, deleted, by whom?
-- needs: history_hours
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
FROM events e
WHERE e.time >= $since AND e.time < $until AND chosen_in_hours() AND e.topic <> 'compute-resource-usage'
    AND (CAST($verb AS varchar) IN ('any', 'failed', 'run', 'other') OR verb_by_type() = $verb)
    AND (CAST($verb AS varchar) = 'any' OR verb() = $verb)
ORDER BY e.time DESC, e.id DESC
LIMIT $limit
