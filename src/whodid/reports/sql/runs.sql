-- family: functions
-- title: Runs
-- question: Who ran what, when, with which inputs and parameters, and what came of it?
-- parameter: since time = 7d | from when on
-- parameter: until time = now | until when
-- parameter: function text = | only this function, else type of event; empty for all
-- parameter: limit integer = 100 | rows at most
-- column: time time | when it was run
-- column: person text | the user or program that ran it
-- column: function text | the function, else the type of event
-- column: entity_type text | type of the thing that was run
-- column: entity_id text | its id
-- column: entity_name text | its name
-- column: duration_ms number ms | how long it took
-- column: status text | what came of it
-- column: error_message text | what went wrong
-- column: entities json | all things it touched, with their roles: input, output, …
-- column: parameters json | with what it was run, and what the sender told besides
-- column: request_id text | joins it with what else happened in that request
-- column: session uuid | the session
-- column: id uuid | the event
-- chart: point x=time y=duration_ms color=status
-- drill: /events/{id}
SELECT
    found.*,
    (
        SELECT CAST(coalesce(sum(e.runs), 0) AS bigint)
        FROM event_days e
        WHERE e.time >= $since AND e.time < $until AND chosen()
            AND (CAST($function AS varchar) = '' OR coalesce(e.function, e.type) = $function)
    ) AS "of"
FROM (
    SELECT
        e.time,
        person() AS person,
        coalesce(e.function, e.type) AS function,
        e.entity_type,
        e.entity_id,
        e.entity_name,
        e.duration_ms,
        e.status,
        e.error_message,
        CAST(e.entities AS varchar) AS entities,
        CAST(e.parameters AS varchar) AS parameters,
        e.request_id,
        CAST(e.session AS varchar) AS session,
        CAST(e.id AS varchar) AS id
    FROM events e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND is_run()
        AND (CAST($function AS varchar) = '' OR coalesce(e.function, e.type) = $function)
        AND e.time IN (
            SELECT e.last
            FROM run_hours e
            WHERE e.time >= $since AND e.time < $until AND chosen()
                AND (CAST($function AS varchar) = '' OR coalesce(e.function, e.type) = $function)
            ORDER BY e.last DESC
            LIMIT $limit
        )
    ORDER BY e.time DESC, e.id
    LIMIT $limit
) found
ORDER BY time DESC, id
