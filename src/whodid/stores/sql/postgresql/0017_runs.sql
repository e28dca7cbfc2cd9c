-- How long runs took: those of an hour that agree lie as lists in one row, 16 bytes each, instead of all over the events.
CREATE TABLE whodid.kept_run_hours (
    hour timestamp NOT NULL,
    has_failed boolean NOT NULL,
    type text NOT NULL,
    level text NOT NULL,
    topic text NOT NULL,
    function text,
    durations double precision[] NOT NULL,
    times timestamp[] NOT NULL
);
COMMENT ON COLUMN whodid.kept_run_hours.times IS 'when the run of the same place in `durations` was';
CREATE INDEX kept_run_hours_hour ON whodid.kept_run_hours USING brin (hour) WITH (pages_per_range = 16);

DO $do$
DECLARE
    add_runs text := $sql$
        INSERT INTO whodid.kept_run_hours (hour, has_failed, type, level, topic, function, durations, times)
        SELECT
            date_trunc('hour', e.event_time),
            e.source = 'error' OR e.error_message IS NOT NULL OR coalesce(e.status = 'failed', false),
            e.type, e.source, e.topic, e.function, array_agg(e.duration_ms), array_agg(e.event_time)
        FROM {events} e
        WHERE e.duration_ms IS NOT NULL
        GROUP BY 1, 2, 3, 4, 5, 6
        ORDER BY 1;
    $sql$;
    begins text := 'LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp';
BEGIN
    EXECUTE 'CREATE FUNCTION whodid.add_runs_of(since timestamp, until timestamp) RETURNS void ' || begins
        || ' AS $add$ BEGIN '
        || replace(
            add_runs, '{events}', '(SELECT * FROM public.events WHERE event_time >= since AND event_time < until)'
        )
        || ' END $add$';
    EXECUTE 'CREATE FUNCTION whodid.count_runs_added() RETURNS trigger SECURITY DEFINER ' || begins
        || ' AS $count$ BEGIN '
        || replace(add_runs, '{events}', 'added')
        || ' RETURN NULL; END $count$';
END
$do$;

-- Makes the hours anew in which events were taken away or changed.
CREATE FUNCTION whodid.count_runs_removed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $count$
DECLARE
    hours timestamp[] := ARRAY(SELECT DISTINCT date_trunc('hour', event_time) FROM removed);
    this_hour timestamp;
BEGIN
    PERFORM pg_advisory_xact_lock(7406002);
    IF TG_OP = 'UPDATE' THEN
        hours := ARRAY(SELECT unnest(hours) UNION SELECT date_trunc('hour', event_time) FROM added);
    END IF;
    DELETE FROM whodid.kept_run_hours WHERE hour = ANY(hours);
    FOREACH this_hour IN ARRAY hours LOOP
        PERFORM whodid.add_runs_of(this_hour, this_hour + INTERVAL '1 hour');
    END LOOP;
    RETURN NULL;
END
$count$;

CREATE FUNCTION whodid.count_runs_emptied() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $count$
BEGIN
    TRUNCATE whodid.kept_run_hours;
    RETURN NULL;
END
$count$;

CREATE TRIGGER count_runs_added AFTER INSERT ON public.events
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION whodid.count_runs_added();
CREATE TRIGGER count_runs_removed AFTER DELETE ON public.events
REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION whodid.count_runs_removed();
CREATE TRIGGER count_runs_changed AFTER UPDATE ON public.events
REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION whodid.count_runs_removed();
CREATE TRIGGER count_runs_emptied AFTER TRUNCATE ON public.events
FOR EACH STATEMENT EXECUTE FUNCTION whodid.count_runs_emptied();

-- Small writes leave short lists: where a key of some days has eight of them, they become one.
CREATE FUNCTION whodid.gather_runs(days timestamp[]) RETURNS void LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $gather$
    WITH gone AS (
        DELETE FROM whodid.kept_run_hours
        WHERE ctid = ANY(ARRAY(
            SELECT unnest(array_agg(ctid)) FROM whodid.kept_run_hours
            WHERE date_trunc('day', hour) = ANY(days)
            AND hour >= (SELECT min(day) FROM unnest(days) AS d (day))
            AND hour < (SELECT max(day) + INTERVAL '1 day' FROM unnest(days) AS d (day))
            AND cardinality(durations) < 64
            GROUP BY hour, has_failed, type, level, topic, function
            HAVING count(*) >= 8
        ))
        RETURNING *
    )
    INSERT INTO whodid.kept_run_hours (hour, has_failed, type, level, topic, function, durations, times)
    SELECT hour, has_failed, type, level, topic, function, array_agg(duration_ms), array_agg(time)
    FROM (
        SELECT hour, has_failed, type, level, topic, function, unnest(durations) AS duration_ms, unnest(times) AS time
        FROM gone
    ) runs
    GROUP BY 1, 2, 3, 4, 5, 6
    ORDER BY 1;
$gather$;

CREATE OR REPLACE FUNCTION whodid.make_days(days timestamp[]) RETURNS void LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $make$
    SELECT whodid.make_people_days(days);
    SELECT whodid.make_usage_days(days);
    SELECT whodid.gather_runs(days);
$make$;

-- Those of the events that are there, a day at once.
SELECT whodid.add_runs_of(day, day + INTERVAL '1 day')
FROM (SELECT DISTINCT day FROM whodid.kept_user_days UNION SELECT date_trunc('day', time) FROM whodid.waiting_events) d
ORDER BY day;

CREATE VIEW whodid.run_hours AS
SELECT
    hour, type, level, topic, function, duration_ms, 1 AS events, has_failed::int AS failed, time AS first, time AS last
FROM (
    SELECT hour, has_failed, type, level, topic, function, unnest(durations) AS duration_ms, unnest(times) AS time
    FROM whodid.kept_run_hours
) runs;
