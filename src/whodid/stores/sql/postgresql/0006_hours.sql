-- What reports count, by the hour: always exactly what counting the events gives, because a trigger adds what each
-- statement adds to the events, whoever runs it. A key may have several rows; rows that are not merged are gathered now
-- and then by `whodid.merge_hours`.
CREATE TABLE whodid.event_hours (
    hour timestamp NOT NULL,
    events bigint NOT NULL,
    runs bigint NOT NULL,
    errors bigint NOT NULL,
    first timestamp NOT NULL,
    last timestamp NOT NULL,
    merged boolean NOT NULL,
    type text NOT NULL,
    level text NOT NULL,
    topic text NOT NULL,
    function text,
    "user" text,
    acting_for text,
    project text
);

-- Which sessions, and who in them, had an event in an hour.
CREATE TABLE whodid.session_hours (
    hour timestamp NOT NULL,
    session uuid NOT NULL,
    merged boolean NOT NULL,
    "user" text,
    acting_for text
);

-- The one definition of what is counted. `added` is the relation of events to count.
CREATE FUNCTION whodid.count_hours() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $count$
BEGIN
    INSERT INTO whodid.event_hours (
        hour, type, level, topic, function, "user", acting_for, project, events, runs, errors, first, last, merged
    )
    SELECT
        date_trunc('hour', event_time), type, source, topic, function, "user", acting_for, project,
        count(*), count(duration_ms), count(*) FILTER (WHERE source = 'error' OR error_message IS NOT NULL),
        min(event_time), max(event_time), false
    FROM added
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;
    INSERT INTO whodid.session_hours (hour, session, "user", acting_for, merged)
    SELECT DISTINCT date_trunc('hour', event_time), session_id, "user", acting_for, false
    FROM added WHERE session_id IS NOT NULL;
    RETURN NULL;
END
$count$;

-- Counts the hours anew in which events were taken away or changed, while no writer is at work.
CREATE FUNCTION whodid.recount_hours() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $recount$
BEGIN
    PERFORM pg_advisory_xact_lock(7406002);
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM whodid.event_hours;
        DELETE FROM whodid.session_hours;
        RETURN NULL;
    END IF;
    CREATE TEMP TABLE recounted_hours ON COMMIT DROP AS
    SELECT DISTINCT date_trunc('hour', event_time) AS hour FROM removed;
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO recounted_hours
        SELECT DISTINCT date_trunc('hour', event_time) FROM added
        EXCEPT SELECT hour FROM recounted_hours;
    END IF;
    DELETE FROM whodid.event_hours WHERE hour IN (SELECT hour FROM recounted_hours);
    DELETE FROM whodid.session_hours WHERE hour IN (SELECT hour FROM recounted_hours);
    INSERT INTO whodid.event_hours (
        hour, type, level, topic, function, "user", acting_for, project, events, runs, errors, first, last, merged
    )
    SELECT
        r.hour, type, source, topic, function, "user", acting_for, project,
        count(*), count(duration_ms), count(*) FILTER (WHERE source = 'error' OR error_message IS NOT NULL),
        min(event_time), max(event_time), true
    FROM recounted_hours r
    JOIN public.events ON event_time >= r.hour AND event_time < r.hour + INTERVAL '1 hour'
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;
    INSERT INTO whodid.session_hours (hour, session, "user", acting_for, merged)
    SELECT DISTINCT r.hour, session_id, "user", acting_for, true
    FROM recounted_hours r
    JOIN public.events ON event_time >= r.hour AND event_time < r.hour + INTERVAL '1 hour'
    WHERE session_id IS NOT NULL;
    DROP TABLE recounted_hours;
    RETURN NULL;
END
$recount$;

-- Gathers rows that are not merged, once they are more than so many.
CREATE FUNCTION whodid.merge_hours(rows_max int) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$merge$
BEGIN
    IF (SELECT count(*) FROM (SELECT FROM whodid.event_hours WHERE NOT merged LIMIT rows_max + 1) w) > rows_max THEN
        WITH gone AS (DELETE FROM whodid.event_hours WHERE NOT merged RETURNING *)
        INSERT INTO whodid.event_hours (
            hour, type, level, topic, function, "user", acting_for, project, events, runs, errors, first, last, merged
        )
        SELECT
            hour, type, level, topic, function, "user", acting_for, project,
            sum(events), sum(runs), sum(errors), min(first), max(last), true
        FROM gone
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;
    END IF;
    IF (SELECT count(*) FROM (SELECT FROM whodid.session_hours WHERE NOT merged LIMIT rows_max + 1) w) > rows_max THEN
        WITH gone AS (DELETE FROM whodid.session_hours WHERE NOT merged RETURNING *)
        INSERT INTO whodid.session_hours (hour, session, "user", acting_for, merged)
        SELECT DISTINCT hour, session, "user", acting_for, true FROM gone;
    END IF;
END
$merge$;

INSERT INTO whodid.event_hours (
    hour, type, level, topic, function, "user", acting_for, project, events, runs, errors, first, last, merged
)
SELECT
    date_trunc('hour', event_time), type, source, topic, function, "user", acting_for, project,
    count(*), count(duration_ms), count(*) FILTER (WHERE source = 'error' OR error_message IS NOT NULL),
    min(event_time), max(event_time), true
FROM public.events
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
ORDER BY 1;

INSERT INTO whodid.session_hours (hour, session, "user", acting_for, merged)
SELECT DISTINCT date_trunc('hour', event_time), session_id, "user", acting_for, true
FROM public.events WHERE session_id IS NOT NULL
ORDER BY 1;

CREATE INDEX event_hours_hour ON whodid.event_hours (hour);
CREATE INDEX event_hours_waiting ON whodid.event_hours (hour) WHERE NOT merged;
CREATE INDEX session_hours_hour ON whodid.session_hours (hour);
CREATE INDEX session_hours_waiting ON whodid.session_hours (hour) WHERE NOT merged;

CREATE TRIGGER count_added AFTER INSERT ON public.events
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION whodid.count_hours();
CREATE TRIGGER count_removed AFTER DELETE ON public.events
REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION whodid.recount_hours();
CREATE TRIGGER count_changed AFTER UPDATE ON public.events
REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION whodid.recount_hours();
CREATE TRIGGER count_emptied AFTER TRUNCATE ON public.events
FOR EACH STATEMENT EXECUTE FUNCTION whodid.recount_hours();
