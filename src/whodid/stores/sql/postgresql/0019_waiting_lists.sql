-- What waits to be counted lies in lists, one for each 5,000 events that a statement adds, which the engine packs to a
-- quarter of the bytes of narrow rows. How long runs took waits in them, too, and comes into its own lists when it is
-- counted: lists of an hour are longer, and writing an event takes one row less.
SELECT whodid.merge_hours(0);

-- Columns stand so that what repeats together lies together.
CREATE TYPE whodid.waiting_event AS (
    time timestamp,
    duration_ms double precision,
    row_count double precision,
    is_error boolean,
    has_failed boolean,
    is_program boolean,
    has_via boolean,
    by_hand boolean,
    session uuid,
    "user" text,
    acting_for text,
    level text,
    topic text,
    type text,
    node text,
    node_type text,
    function text,
    package text,
    version text,
    project text,
    entity_type text,
    entity_id text,
    entity_name text
);

CREATE TABLE whodid.waiting_lists (
    first timestamp NOT NULL,
    last timestamp NOT NULL,
    size int NOT NULL,
    events whodid.waiting_event[] NOT NULL
);

CREATE FUNCTION whodid.waiting_of(e public.events) RETURNS whodid.waiting_event
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $waiting$
    SELECT CAST(ROW(
        e.event_time, e.duration_ms, whodid.number_of(e.parameters ->> 'rows'),
        e.source = 'error' OR e.error_message IS NOT NULL,
        e.source = 'error' OR e.error_message IS NOT NULL OR coalesce(e.status = 'failed', false),
        whodid.is_program(coalesce(e.acting_for, e."user")),
        e.via IS NOT NULL,
        e.via IS NULL AND coalesce(
            CASE
                WHEN e.format LIKE 'dss%' OR e.node_type IN ('design', 'automation') THEN e.parameters ->> 'authSource'
            END,
            'USER_FROM_UI'
        ) = 'USER_FROM_UI',
        e.session_id, e."user", e.acting_for, e.source, e.topic, e.type, e.node, e.node_type, e.function,
        e.parameters ->> 'package',
        CASE WHEN e.parameters ->> 'package' IS NOT NULL THEN e.parameters ->> 'version' END,
        e.project, e.entity_type, e.entity_id, e.entity_name
    ) AS whodid.waiting_event)
$waiting$;

CREATE FUNCTION whodid.wait_added() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $wait$
BEGIN
    INSERT INTO whodid.waiting_lists (first, last, size, events)
    SELECT min((w).time), max((w).time), count(*), array_agg(w ORDER BY (w).function COLLATE "C")
    FROM (SELECT whodid.waiting_of(e) AS w, row_number() OVER () - 1 AS place FROM added e) waiting
    GROUP BY place / 5000;
    RETURN NULL;
END
$wait$;

-- Of the hours in which events were taken away or changed, all wait anew.
CREATE FUNCTION whodid.wait_removed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $wait$
DECLARE
    hours timestamp[] := ARRAY(SELECT DISTINCT date_trunc('hour', event_time) FROM removed);
BEGIN
    PERFORM pg_advisory_xact_lock(7406002);
    IF TG_OP = 'UPDATE' THEN
        hours := ARRAY(SELECT unnest(hours) UNION SELECT date_trunc('hour', event_time) FROM added);
    END IF;
    DELETE FROM whodid.kept_run_hours WHERE hour = ANY(hours);
    WITH gone AS (
        DELETE FROM whodid.waiting_lists
        WHERE EXISTS (SELECT FROM unnest(hours) AS h (hour) WHERE hour BETWEEN date_trunc('hour', first) AND last)
        RETURNING events
    )
    INSERT INTO whodid.waiting_lists (first, last, size, events)
    SELECT min((w).time), max((w).time), count(*), array_agg(w ORDER BY (w).function COLLATE "C")
    FROM (
        SELECT w, row_number() OVER () - 1 AS place
        FROM (
            SELECT w FROM (SELECT unnest(events) AS w FROM gone) others
            WHERE date_trunc('hour', (w).time) NOT IN (SELECT unnest(hours))
            UNION ALL
            SELECT whodid.waiting_of(e)
            FROM unnest(hours) AS h (hour)
            JOIN public.events e ON e.event_time >= h.hour AND e.event_time < h.hour + INTERVAL '1 hour'
        ) found
    ) waiting
    GROUP BY place / 5000;
    RETURN NULL;
END
$wait$;

CREATE TRIGGER wait_added AFTER INSERT ON public.events
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION whodid.wait_added();
CREATE TRIGGER wait_removed AFTER DELETE ON public.events
REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION whodid.wait_removed();
CREATE TRIGGER wait_changed AFTER UPDATE ON public.events
REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION whodid.wait_removed();

DROP TRIGGER count_runs_added ON public.events;
DROP TRIGGER count_runs_removed ON public.events;
DROP TRIGGER count_runs_changed ON public.events;
DROP FUNCTION whodid.count_runs_added();
DROP FUNCTION whodid.count_runs_removed();
DROP FUNCTION whodid.add_runs_of(timestamp, timestamp);

-- The others leave alone what waits.
DO $do$
BEGIN
    EXECUTE regexp_replace(
        pg_get_functiondef('whodid.count_added()'::regprocedure),
        'INSERT INTO whodid\.waiting_events.*?FROM added e\s+;', ''
    );
    EXECUTE regexp_replace(
        pg_get_functiondef('whodid.count_removed()'::regprocedure),
        'DELETE FROM whodid\.waiting_events.*PERFORM whodid\.make_days', 'PERFORM whodid.make_days'
    );
    EXECUTE replace(
        pg_get_functiondef('whodid.count_emptied()'::regprocedure), 'whodid.waiting_events', 'whodid.waiting_lists'
    );
END
$do$;

ALTER TABLE whodid.waiting_events RENAME TO told_waiting_events;
-- Told so that the planner takes a list to be long: guessed at 10 events, it would join one by one what lists hold.
CREATE VIEW whodid.waiting_events AS
SELECT w.*
FROM (
    SELECT l.events FROM whodid.waiting_lists l CROSS JOIN LATERAL generate_series(l.size, l.size) OFFSET 0
) lists
CROSS JOIN LATERAL unnest(lists.events) AS w;

CREATE OR REPLACE VIEW whodid.waiting_hours AS
SELECT
    date_trunc('hour', time) AS hour, time AS first, time AS last, 1 AS events,
    CASE WHEN whodid.is_use(level, topic) THEN 1 ELSE 0 END AS uses, (duration_ms IS NOT NULL)::int AS runs,
    is_error::int AS errors, has_failed::int AS failed, session, is_program, has_via, by_hand, type, level, topic,
    whodid.verb_of(type, is_error, duration_ms IS NOT NULL) AS verb, "user", acting_for, function, project, entity_type,
    entity_id, entity_name, node, node_type, package, version, row_count
FROM whodid.waiting_events;
DROP TABLE whodid.told_waiting_events;

CREATE OR REPLACE VIEW whodid.run_hours AS
SELECT
    hour, type, level, topic, function, duration_ms, 1 AS events, has_failed::int AS failed, time AS first, time AS last
FROM (
    SELECT hour, has_failed, type, level, topic, function, unnest(durations) AS duration_ms, unnest(times) AS time
    FROM whodid.kept_run_hours
    UNION ALL
    SELECT date_trunc('hour', time), has_failed, type, level, topic, function, duration_ms, time
    FROM whodid.waiting_events
    WHERE duration_ms IS NOT NULL
) runs;

CREATE OR REPLACE FUNCTION whodid.merge_hours(rows_max int) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET work_mem = '64MB' AS $merge$
BEGIN
    IF (SELECT coalesce(sum(size), 0) FROM whodid.waiting_lists) <= rows_max THEN
        RETURN;
    END IF;
    CREATE TEMP TABLE counted_events ON COMMIT DROP AS
    WITH gone AS (DELETE FROM whodid.waiting_lists RETURNING events)
    SELECT
        *,
        whodid.digest_of(CAST(ROW(
            has_via, by_hand, type, level, topic, verb, function, project, entity_type, entity_id, entity_name, node,
            node_type, package, version
        ) AS text)) AS digest
    FROM (
        SELECT w.*, whodid.verb_of(w.type, w.is_error, w.duration_ms IS NOT NULL) AS verb
        FROM gone
        CROSS JOIN LATERAL unnest(gone.events) AS w
        OFFSET 0
    ) waiting;

    INSERT INTO whodid.kept_things (
        has_via, by_hand, type, level, topic, verb, function, project, entity_type, entity_id, entity_name, node,
        node_type, package, version, digest
    )
    SELECT DISTINCT ON (digest)
        has_via, by_hand, type, level, topic, verb, function, project, entity_type, entity_id, entity_name, node,
        node_type, package, version, digest
    FROM counted_events c
    WHERE NOT EXISTS (SELECT FROM whodid.kept_things t WHERE t.digest = c.digest);

    WITH things AS (
        INSERT INTO whodid.kept_thing_hours (
            hour, thing, "user", acting_for, is_program, events, uses, runs, errors, failed, row_count, first, last
        )
        SELECT
            date_trunc('hour', time), t.thing, "user", acting_for, is_program, count(*),
            nullif(count(*) FILTER (WHERE whodid.is_use(c.level, c.topic)), 0),
            nullif(count(*) FILTER (WHERE duration_ms IS NOT NULL), 0), nullif(count(*) FILTER (WHERE is_error), 0),
            nullif(count(*) FILTER (WHERE has_failed), 0), sum(row_count), min(time), max(time)
        FROM counted_events c
        JOIN whodid.kept_things t ON t.digest = c.digest
        GROUP BY 1, 2, 3, 4, 5
        ORDER BY 1, 2
        RETURNING *
    )
    INSERT INTO whodid.kept_user_hours (
        hour, "user", acting_for, is_program, events, uses, runs, errors, failed, row_count, first, last
    )
    SELECT
        hour, "user", acting_for, is_program, sum(events), coalesce(sum(uses), 0), coalesce(sum(runs), 0),
        coalesce(sum(errors), 0), coalesce(sum(failed), 0), sum(row_count), min(first), max(last)
    FROM things
    GROUP BY 1, 2, 3, 4
    ORDER BY 1;

    INSERT INTO whodid.kept_session_hours (hour, session, "user", acting_for, is_program, project)
    SELECT DISTINCT date_trunc('hour', time), session, "user", acting_for, is_program, project
    FROM counted_events
    WHERE session IS NOT NULL
    ORDER BY 1;

    INSERT INTO whodid.kept_run_hours (hour, has_failed, type, level, topic, function, durations, times)
    SELECT date_trunc('hour', time), has_failed, type, level, topic, function, array_agg(duration_ms), array_agg(time)
    FROM counted_events
    WHERE duration_ms IS NOT NULL
    GROUP BY 1, 2, 3, 4, 5, 6
    ORDER BY 1;

    PERFORM whodid.make_days(ARRAY(SELECT DISTINCT date_trunc('day', time) FROM counted_events));
    DROP TABLE counted_events;
END
$merge$;
