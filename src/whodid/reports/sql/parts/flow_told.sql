-- Whether there is something to tell of the way of $entity: a row when there may be, none when there cannot.
flow_told AS MATERIALIZED (
    -- Most things are in no flow: then nothing else is read. JSON may write an id with escapes.
    SELECT CAST($since AS timestamp) AS since
    FROM flow_days e
    WHERE e.time >= $since AND e.time < $until AND seen() AND (
        e.via = CAST($entity AS varchar)
        OR substr(CAST($entity AS varchar), strpos(CAST($entity AS varchar), ':') + 1) IN (e.function, e.type, e.entity_id)
        OR strpos(
            e.touched, '"' || substr(CAST($entity AS varchar), strpos(CAST($entity AS varchar), ':') + 1) || '"'
        ) > 0
        OR strpos(e.touched, '\') > 0
    )
    LIMIT 1
)
