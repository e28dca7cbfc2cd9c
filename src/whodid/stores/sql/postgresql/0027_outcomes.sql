-- What became known of predictions lies apart, a tenth of what reading it from the events takes; queries of a version are
-- counted by the hour; and queries that samples are likely to take have an index that tells all that chooses them.
SET LOCAL work_mem = '256MB';

CREATE TABLE whodid.kept_outcome_events (
    time timestamp NOT NULL,
    id uuid NOT NULL,
    level text NOT NULL,
    service text,
    outcome_key text,
    outcome text,
    match text NOT NULL
);
INSERT INTO whodid.kept_outcome_events (time, id, level, service, outcome_key, outcome, match)
SELECT
    event_time, id, source, parameters ->> 'serviceId', parameters ->> 'key', parameters ->> 'outcome',
    coalesce(parameters ->> 'match', 'request_id')
FROM public.events
WHERE topic = 'apinode-query' AND type = 'ground-truth'
ORDER BY event_time;
CREATE INDEX kept_outcome_events_time ON whodid.kept_outcome_events (time);
ANALYZE whodid.kept_outcome_events;
CREATE VIEW whodid.outcome_events AS
SELECT id, time, level, service, outcome_key, outcome, match FROM whodid.kept_outcome_events;

-- Each write adds rows; those of an hour become one for each key when it is counted.
CREATE TABLE whodid.kept_version_hours (
    hour timestamp NOT NULL,
    events int NOT NULL,
    type text NOT NULL,
    level text NOT NULL,
    service text NOT NULL,
    endpoint text NOT NULL,
    told_version text
);
INSERT INTO whodid.kept_version_hours (hour, type, level, service, endpoint, told_version, events)
SELECT date_trunc('hour', time), type, level, service, endpoint, told_version, count(*)
FROM whodid.kept_query_events
GROUP BY 1, 2, 3, 4, 5, 6
ORDER BY 1;
CREATE INDEX kept_version_hours_hour ON whodid.kept_version_hours USING brin (hour) WITH (pages_per_range = 16);
ANALYZE whodid.kept_version_hours;
CREATE VIEW whodid.version_hours AS
SELECT hour, type, level, 'apinode-query' AS topic, service, endpoint, told_version, events
FROM whodid.kept_version_hours;

-- Reports look for those of less chance first: `likely` there.
CREATE INDEX kept_query_events_likely ON whodid.kept_query_events (time) INCLUDE (id, service, endpoint, told_version)
WHERE CAST(
    (get_byte(uuid_send(id), 13) << 16) | (get_byte(uuid_send(id), 14) << 8) | get_byte(uuid_send(id), 15)
    AS double precision
) / 16777216 < 0.125;

DO $do$
DECLARE
    of_queries text := $sql$e.topic = 'apinode-query' AND e.type <> 'ground-truth'$sql$;
    keep_outcomes text := $sql$;

    INSERT INTO whodid.kept_outcome_events (time, id, level, service, outcome_key, outcome, match)
    SELECT
        e.event_time, e.id, e.source, e.parameters ->> 'serviceId', e.parameters ->> 'key', e.parameters ->> 'outcome',
        coalesce(e.parameters ->> 'match', 'request_id')
    FROM added e
    WHERE e.topic = 'apinode-query' AND e.type = 'ground-truth';$sql$;
BEGIN
    EXECUTE replace(
        replace(
            pg_get_functiondef('whodid.count_added()'::regprocedure),
            'INSERT INTO whodid.kept_query_events (', E'WITH queries AS (\n    INSERT INTO whodid.kept_query_events ('
        ),
        of_queries || ';',
        of_queries || $added$
    RETURNING time, type, level, service, endpoint, told_version
    )
    INSERT INTO whodid.kept_version_hours (hour, type, level, service, endpoint, told_version, events)
    SELECT date_trunc('hour', time), type, level, service, endpoint, told_version, count(*)
    FROM queries
    GROUP BY 1, 2, 3, 4, 5, 6$added$ || keep_outcomes
    );
    EXECUTE replace(
        replace(
            replace(
                pg_get_functiondef('whodid.count_removed()'::regprocedure), of_queries || ';', of_queries || keep_outcomes
            ),
            'DELETE FROM whodid.kept_query_events WHERE',
            E'DELETE FROM whodid.kept_outcome_events WHERE id IN (SELECT id FROM removed);\n'
            '        DELETE FROM whodid.kept_query_events WHERE'
        ),
        'DELETE FROM whodid.kept_user_hours',
        $added$WITH gone AS (
            DELETE FROM whodid.kept_version_hours WHERE hour IN (SELECT hour FROM recounted_hours)
        )
        INSERT INTO whodid.kept_version_hours (hour, type, level, service, endpoint, told_version, events)
        SELECT r.hour, q.type, q.level, q.service, q.endpoint, q.told_version, count(*)
        FROM recounted_hours r
        JOIN whodid.kept_query_events q ON q.time >= r.hour AND q.time < r.hour + INTERVAL '1 hour'
        GROUP BY 1, 2, 3, 4, 5, 6;
        DELETE FROM whodid.kept_user_hours$added$
    );
    EXECUTE replace(
        pg_get_functiondef('whodid.merge_hours(int)'::regprocedure),
        '    PERFORM whodid.make_days(',
        $added$    WITH hours AS MATERIALIZED (
        SELECT DISTINCT date_trunc('hour', time) AS hour FROM counted_events WHERE topic = 'apinode-query'
    ), before AS (
        DELETE FROM whodid.kept_version_hours
        WHERE hour IN (SELECT hour FROM hours)
        AND hour BETWEEN (SELECT min(hour) FROM hours) AND (SELECT max(hour) FROM hours)
        RETURNING *
    )
    INSERT INTO whodid.kept_version_hours (hour, type, level, service, endpoint, told_version, events)
    SELECT hour, type, level, service, endpoint, told_version, sum(events)
    FROM before
    GROUP BY 1, 2, 3, 4, 5, 6
    ORDER BY 1;

    PERFORM whodid.make_days($added$
    );
    EXECUTE replace(
        pg_get_functiondef('whodid.count_emptied()'::regprocedure),
        'whodid.kept_user_hours,',
        'whodid.kept_user_hours, whodid.kept_version_hours, whodid.kept_outcome_events,'
    );
END
$do$;
