-- What is counted by the hour tells more: people apart from who acted for them, uses, failures, rows, and the projects of
-- sessions. Everything is counted anew, once.
DROP TRIGGER count_added ON public.events;
DROP TRIGGER count_removed ON public.events;
DROP TRIGGER count_changed ON public.events;
DROP TRIGGER count_emptied ON public.events;
DROP TABLE whodid.event_hours;
DROP TABLE whodid.user_hours;
DROP TABLE whodid.session_hours;

-- The number that a text holds; longer ones overflow, and are no measurements.
CREATE FUNCTION whodid.number_of(told text) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $number$
    SELECT CASE
        WHEN told ~ '^\s*[+-]?\d{1,18}(\.\d{0,40})?([eE][+-]?\d{1,2})?\s*$' THEN CAST(told AS double precision)
    END
$number$;

CREATE TABLE whodid.event_hours (
    hour timestamp NOT NULL,
    events bigint NOT NULL,
    uses bigint NOT NULL,
    runs bigint NOT NULL,
    errors bigint NOT NULL,
    failed bigint NOT NULL,
    row_count double precision,
    first timestamp NOT NULL,
    last timestamp NOT NULL,
    merged boolean NOT NULL,
    type text NOT NULL,
    level text NOT NULL,
    topic text NOT NULL,
    function text,
    project text,
    "user" text,
    acting_for text,
    person text,
    who text
);

-- The same by person alone: a tenth of the rows.
CREATE TABLE whodid.user_hours (
    hour timestamp NOT NULL,
    events bigint NOT NULL,
    uses bigint NOT NULL,
    runs bigint NOT NULL,
    errors bigint NOT NULL,
    failed bigint NOT NULL,
    row_count double precision,
    first timestamp NOT NULL,
    last timestamp NOT NULL,
    merged boolean NOT NULL,
    "user" text,
    acting_for text,
    person text,
    who text
);

-- Which sessions, and who in them, had an event of a project in an hour.
CREATE TABLE whodid.session_hours (
    hour timestamp NOT NULL,
    session uuid NOT NULL,
    merged boolean NOT NULL,
    project text,
    "user" text,
    acting_for text,
    person text,
    who text
);

-- The one definition of what is counted. `added` is the relation of events to count.
CREATE OR REPLACE FUNCTION whodid.count_hours() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $count$
BEGIN
    WITH counted AS (
        INSERT INTO whodid.event_hours (
            hour, "user", acting_for, person, who, type, level, topic, function, project, events, uses, runs,
                errors, failed, row_count, first, last, merged
        )
        SELECT
            date_trunc('hour', e.event_time), e."user", e.acting_for, w.person, w.who, e.type, e.source, e.topic,
                e.function, e.project,
            count(*), count(*) FILTER (
                WHERE e.source IN ('audit', 'usage')
                AND e.topic NOT IN ('compute-resource-usage', 'authfail', 'generic-failure')
            ),
            count(e.duration_ms), count(*) FILTER (WHERE e.source = 'error' OR e.error_message IS NOT NULL),
            count(*) FILTER (WHERE e.source = 'error' OR e.error_message IS NOT NULL OR e.status = 'failed'),
            sum(whodid.number_of(e.parameters ->> 'rows')), min(e.event_time), max(e.event_time), false
        FROM added e
        CROSS JOIN LATERAL (SELECT coalesce(e.acting_for, e."user") AS person) p
        CROSS JOIN LATERAL (
            SELECT p.person, CASE WHEN NOT (p.person LIKE 'api:%' OR p.person LIKE 'no:auth%') THEN p.person END AS
                who
        ) w
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
        RETURNING *
    )
    INSERT INTO whodid.user_hours (hour, "user", acting_for, person, who, events, uses, runs, errors, failed,
        row_count, first, last, merged)
    SELECT hour, "user", acting_for, person, who, sum(events), sum(uses), sum(runs), sum(errors), sum(failed),
        sum(row_count), min(first), max(last), false FROM counted GROUP BY 1, 2, 3, 4, 5;

    INSERT INTO whodid.session_hours (hour, session, "user", acting_for, person, who, project, merged)
    SELECT DISTINCT date_trunc('hour', e.event_time), e.session_id, e."user", e.acting_for, w.person, w.who,
        e.project, false
    FROM added e
    CROSS JOIN LATERAL (SELECT coalesce(e.acting_for, e."user") AS person) p
    CROSS JOIN LATERAL (
        SELECT p.person, CASE WHEN NOT (p.person LIKE 'api:%' OR p.person LIKE 'no:auth%') THEN p.person END AS who
    ) w
    WHERE e.session_id IS NOT NULL;
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
            hour, "user", acting_for, person, who, type, level, topic, function, project, events, uses, runs,
                errors, failed, row_count, first, last, merged
        )
        SELECT
            r.hour, e."user", e.acting_for, w.person, w.who, e.type, e.source, e.topic, e.function, e.project,
            count(*), count(*) FILTER (
                WHERE e.source IN ('audit', 'usage')
                AND e.topic NOT IN ('compute-resource-usage', 'authfail', 'generic-failure')
            ),
            count(e.duration_ms), count(*) FILTER (WHERE e.source = 'error' OR e.error_message IS NOT NULL),
            count(*) FILTER (WHERE e.source = 'error' OR e.error_message IS NOT NULL OR e.status = 'failed'),
            sum(whodid.number_of(e.parameters ->> 'rows')), min(e.event_time), max(e.event_time), true
        FROM recounted_hours r
        JOIN public.events e ON e.event_time >= r.hour AND e.event_time < r.hour + INTERVAL '1 hour'
        CROSS JOIN LATERAL (SELECT coalesce(e.acting_for, e."user") AS person) p
        CROSS JOIN LATERAL (
            SELECT p.person, CASE WHEN NOT (p.person LIKE 'api:%' OR p.person LIKE 'no:auth%') THEN p.person END AS
                who
        ) w
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
        RETURNING *
    )
    INSERT INTO whodid.user_hours (hour, "user", acting_for, person, who, events, uses, runs, errors, failed,
        row_count, first, last, merged)
    SELECT hour, "user", acting_for, person, who, sum(events), sum(uses), sum(runs), sum(errors), sum(failed),
        sum(row_count), min(first), max(last), true FROM counted GROUP BY 1, 2, 3, 4, 5;

    INSERT INTO whodid.session_hours (hour, session, "user", acting_for, person, who, project, merged)
    SELECT DISTINCT r.hour, e.session_id, e."user", e.acting_for, w.person, w.who, e.project, true
    FROM recounted_hours r
        JOIN public.events e ON e.event_time >= r.hour AND e.event_time < r.hour + INTERVAL '1 hour'
    CROSS JOIN LATERAL (SELECT coalesce(e.acting_for, e."user") AS person) p
    CROSS JOIN LATERAL (
        SELECT p.person, CASE WHEN NOT (p.person LIKE 'api:%' OR p.person LIKE 'no:auth%') THEN p.person END AS who
    ) w
    WHERE e.session_id IS NOT NULL;
    DROP TABLE recounted_hours;
    RETURN NULL;
END
$recount$;

CREATE OR REPLACE FUNCTION whodid.merge_hours(rows_max int) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $merge$
BEGIN
    IF (SELECT count(*) FROM (SELECT FROM whodid.event_hours WHERE NOT merged LIMIT rows_max + 1) w) > rows_max THEN
        WITH gone AS (DELETE FROM whodid.event_hours WHERE NOT merged RETURNING *)
        INSERT INTO whodid.event_hours (
            hour, "user", acting_for, person, who, type, level, topic, function, project, events, uses, runs,
                errors, failed, row_count, first, last, merged
        )
        SELECT hour, "user", acting_for, person, who, type, level, topic, function, project, sum(events), sum(uses),
            sum(runs), sum(errors), sum(failed), sum(row_count), min(first), max(last), true FROM gone
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10;
    END IF;
    IF (SELECT count(*) FROM (SELECT FROM whodid.user_hours WHERE NOT merged LIMIT rows_max + 1) w) > rows_max THEN
        WITH gone AS (DELETE FROM whodid.user_hours WHERE NOT merged RETURNING *)
        INSERT INTO whodid.user_hours (
            hour, "user", acting_for, person, who, events, uses, runs, errors, failed, row_count, first, last, merged
        )
        SELECT hour, "user", acting_for, person, who, sum(events), sum(uses), sum(runs), sum(errors), sum(failed),
            sum(row_count), min(first), max(last), true FROM gone
        GROUP BY 1, 2, 3, 4, 5;
    END IF;
    IF (SELECT count(*) FROM (SELECT FROM whodid.session_hours WHERE NOT merged LIMIT rows_max + 1) w) > rows_max THEN
        WITH gone AS (DELETE FROM whodid.session_hours WHERE NOT merged RETURNING *)
        INSERT INTO whodid.session_hours (
            hour, session, "user", acting_for, person, who, project, merged
        )
        SELECT DISTINCT hour, session, "user", acting_for, person, who, project, true FROM gone;
    END IF;
END
$merge$;

    WITH counted AS (
        INSERT INTO whodid.event_hours (
            hour, "user", acting_for, person, who, type, level, topic, function, project, events, uses, runs,
                errors, failed, row_count, first, last, merged
        )
        SELECT
            date_trunc('hour', e.event_time), e."user", e.acting_for, w.person, w.who, e.type, e.source, e.topic,
                e.function, e.project,
            count(*), count(*) FILTER (
                WHERE e.source IN ('audit', 'usage')
                AND e.topic NOT IN ('compute-resource-usage', 'authfail', 'generic-failure')
            ),
            count(e.duration_ms), count(*) FILTER (WHERE e.source = 'error' OR e.error_message IS NOT NULL),
            count(*) FILTER (WHERE e.source = 'error' OR e.error_message IS NOT NULL OR e.status = 'failed'),
            sum(whodid.number_of(e.parameters ->> 'rows')), min(e.event_time), max(e.event_time), true
        FROM public.events e
        CROSS JOIN LATERAL (SELECT coalesce(e.acting_for, e."user") AS person) p
        CROSS JOIN LATERAL (
            SELECT p.person, CASE WHEN NOT (p.person LIKE 'api:%' OR p.person LIKE 'no:auth%') THEN p.person END AS
                who
        ) w
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
        RETURNING *
    )
    INSERT INTO whodid.user_hours (hour, "user", acting_for, person, who, events, uses, runs, errors, failed,
        row_count, first, last, merged)
    SELECT hour, "user", acting_for, person, who, sum(events), sum(uses), sum(runs), sum(errors), sum(failed),
        sum(row_count), min(first), max(last), true FROM counted GROUP BY 1, 2, 3, 4, 5;

    INSERT INTO whodid.session_hours (hour, session, "user", acting_for, person, who, project, merged)
    SELECT DISTINCT date_trunc('hour', e.event_time), e.session_id, e."user", e.acting_for, w.person, w.who,
        e.project, true
    FROM public.events e
    CROSS JOIN LATERAL (SELECT coalesce(e.acting_for, e."user") AS person) p
    CROSS JOIN LATERAL (
        SELECT p.person, CASE WHEN NOT (p.person LIKE 'api:%' OR p.person LIKE 'no:auth%') THEN p.person END AS who
    ) w
    WHERE e.session_id IS NOT NULL;

CREATE INDEX event_hours_hour ON whodid.event_hours (hour);
CREATE INDEX event_hours_waiting ON whodid.event_hours (hour) WHERE NOT merged;
CREATE INDEX user_hours_hour ON whodid.user_hours (hour);
CREATE INDEX user_hours_waiting ON whodid.user_hours (hour) WHERE NOT merged;
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
