-- The same by the hour and person alone: a tenth of the rows, for everything that is told of people.
CREATE TABLE whodid.user_hours (
    hour timestamp NOT NULL,
    events bigint NOT NULL,
    runs bigint NOT NULL,
    errors bigint NOT NULL,
    first timestamp NOT NULL,
    last timestamp NOT NULL,
    merged boolean NOT NULL,
    level text NOT NULL,
    topic text NOT NULL,
    "user" text,
    acting_for text
);

CREATE OR REPLACE FUNCTION whodid.count_hours() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $count$
BEGIN
    WITH counted AS (
        INSERT INTO whodid.event_hours (
            hour, type, level, topic, function, "user", acting_for, project, events, runs, errors, first, last, merged
        )
        SELECT
            date_trunc('hour', event_time), type, source, topic, function, "user", acting_for, project,
            count(*), count(duration_ms), count(*) FILTER (WHERE source = 'error' OR error_message IS NOT NULL),
            min(event_time), max(event_time), false
        FROM added
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
        RETURNING *
    )
    INSERT INTO whodid.user_hours (hour, level, topic, "user", acting_for, events, runs, errors, first, last, merged)
    SELECT
        hour, level, topic, "user", acting_for, sum(events), sum(runs), sum(errors), min(first), max(last), false
    FROM counted
    GROUP BY 1, 2, 3, 4, 5;
    INSERT INTO whodid.session_hours (hour, session, "user", acting_for, merged)
    SELECT DISTINCT date_trunc('hour', event_time), session_id, "user", acting_for, false
    FROM added WHERE session_id IS NOT NULL;
    RETURN NULL;
END
$count$;

CREATE OR REPLACE FUNCTION whodid.recount_hours() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $recount$
BEGIN
    PERFORM pg_advisory_xact_lock(7406002);
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM whodid.event_hours;
        DELETE FROM whodid.user_hours;
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
    DELETE FROM whodid.user_hours WHERE hour IN (SELECT hour FROM recounted_hours);
    DELETE FROM whodid.session_hours WHERE hour IN (SELECT hour FROM recounted_hours);
    WITH counted AS (
        INSERT INTO whodid.event_hours (
            hour, type, level, topic, function, "user", acting_for, project, events, runs, errors, first, last, merged
        )
        SELECT
            r.hour, type, source, topic, function, "user", acting_for, project,
            count(*), count(duration_ms), count(*) FILTER (WHERE source = 'error' OR error_message IS NOT NULL),
            min(event_time), max(event_time), true
        FROM recounted_hours r
        JOIN public.events ON event_time >= r.hour AND event_time < r.hour + INTERVAL '1 hour'
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
        RETURNING *
    )
    INSERT INTO whodid.user_hours (hour, level, topic, "user", acting_for, events, runs, errors, first, last, merged)
    SELECT
        hour, level, topic, "user", acting_for, sum(events), sum(runs), sum(errors), min(first), max(last), true
    FROM counted
    GROUP BY 1, 2, 3, 4, 5;
    INSERT INTO whodid.session_hours (hour, session, "user", acting_for, merged)
    SELECT DISTINCT r.hour, session_id, "user", acting_for, true
    FROM recounted_hours r
    JOIN public.events ON event_time >= r.hour AND event_time < r.hour + INTERVAL '1 hour'
    WHERE session_id IS NOT NULL;
    DROP TABLE recounted_hours;
    RETURN NULL;
END
$recount$;

CREATE OR REPLACE FUNCTION whodid.merge_hours(rows_max int) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
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
    IF (SELECT count(*) FROM (SELECT FROM whodid.user_hours WHERE NOT merged LIMIT rows_max + 1) w) > rows_max THEN
        WITH gone AS (DELETE FROM whodid.user_hours WHERE NOT merged RETURNING *)
        INSERT INTO whodid.user_hours (hour, level, topic, "user", acting_for, events, runs, errors, first, last, merged)
        SELECT
            hour, level, topic, "user", acting_for, sum(events), sum(runs), sum(errors), min(first), max(last), true
        FROM gone
        GROUP BY 1, 2, 3, 4, 5;
    END IF;
    IF (SELECT count(*) FROM (SELECT FROM whodid.session_hours WHERE NOT merged LIMIT rows_max + 1) w) > rows_max THEN
        WITH gone AS (DELETE FROM whodid.session_hours WHERE NOT merged RETURNING *)
        INSERT INTO whodid.session_hours (hour, session, "user", acting_for, merged)
        SELECT DISTINCT hour, session, "user", acting_for, true FROM gone;
    END IF;
END
$merge$;

INSERT INTO whodid.user_hours (hour, level, topic, "user", acting_for, events, runs, errors, first, last, merged)
SELECT hour, level, topic, "user", acting_for, sum(events), sum(runs), sum(errors), min(first), max(last), true
FROM whodid.event_hours
GROUP BY 1, 2, 3, 4, 5
ORDER BY 1;

CREATE INDEX user_hours_hour ON whodid.user_hours (hour);
CREATE INDEX user_hours_waiting ON whodid.user_hours (hour) WHERE NOT merged;
