-- What flows from where to where, of events that tell of it. What they touched, and how, is long and few: it lies once,
-- as a way, and an event is a narrow row that names it.
SET LOCAL work_mem = '64MB';

CREATE TABLE whodid.kept_flow_ways (
    way int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest bytea NOT NULL UNIQUE,
    has_roles boolean NOT NULL,
    level text NOT NULL,
    type text NOT NULL,
    function text,
    via text,
    entity_type text,
    entity_id text,
    entity_name text,
    touched text NOT NULL
);
COMMENT ON COLUMN whodid.kept_flow_ways.digest IS 'the SHA-256 of all other columns';

CREATE TABLE whodid.kept_flow_events (
    time timestamp NOT NULL,
    row_count double precision,
    way int NOT NULL,
    is_use boolean NOT NULL,
    has_duration boolean NOT NULL,
    is_error boolean NOT NULL,
    has_failed boolean NOT NULL,
    is_program boolean NOT NULL,
    "user" text,
    acting_for text
);
CREATE INDEX kept_flow_events_hour ON whodid.kept_flow_events
USING brin (date_trunc('hour', time)) WITH (pages_per_range = 16);
CREATE INDEX kept_flow_events_way ON whodid.kept_flow_events (way);

-- Adds the flows of some events. Whoever adds shares a lock with all who do; who takes ways away has it alone. Two who
-- find the same way at once: one of them is refused, and looks again.
DO $do$
DECLARE
    add_flows text := $sql$
        LOOP
            BEGIN
                WITH found AS MATERIALIZED (
                    SELECT
                        t.*,
                        sha256(convert_to(CAST(ROW(
                            has_roles, level, type, function, via, entity_type, entity_id, entity_name, touched
                        ) AS text), 'UTF8')) AS digest
                    FROM (
                        SELECT
                            e.event_time AS time, whodid.number_of(e.parameters ->> 'rows') AS row_count,
                            whodid.is_use(e.source, e.topic) AS is_use, e.duration_ms IS NOT NULL AS has_duration,
                            e.source = 'error' OR e.error_message IS NOT NULL AS is_error,
                            e.source = 'error' OR e.error_message IS NOT NULL OR coalesce(e.status = 'failed', false)
                            AS has_failed,
                            whodid.is_program(coalesce(e.acting_for, e."user")) AS is_program, e."user", e.acting_for,
                            CASE
                                WHEN e.entities IS NULL THEN e.entity_type IS NOT NULL AND e.entity_role IS NOT NULL
                                ELSE jsonb_path_exists(e.entities, '$[*].role')
                            END AS has_roles,
                            e.source AS level, e.type, e.function, e.via, e.entity_type, e.entity_id, e.entity_name,
                            CAST(coalesce(e.entities, jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
                                'role', e.entity_role, 'type', e.entity_type, 'id', e.entity_id, 'name', e.entity_name
                            )))) AS text) AS touched
                        FROM {events} e
                        WHERE CASE
                            WHEN e.entities IS NOT NULL THEN jsonb_path_exists(e.entities, '$[*].role ? (
                                @ == "input" || @ == "source" || @ == "read"
                                || @ == "output" || @ == "target" || @ == "result" || @ == "written"
                            )')
                            WHEN e.entity_type IS NOT NULL THEN e.entity_role IN (
                                'input', 'source', 'read', 'output', 'target', 'result', 'written'
                            )
                        END OR (
                            e.via LIKE '_%:_%' AND e.entity_type = 'dataset' AND e.type IN (
                                'flow-object-build-success', 'flow-object-build-failed', 'dataset-read-data',
                                'dataset-read-data-sample'
                            )
                            AND CASE
                                WHEN e.entities IS NULL THEN e.entity_role IS NULL
                                ELSE NOT jsonb_path_exists(e.entities, '$[*].role')
                            END
                        )
                        OFFSET 0
                    ) t
                ), met AS (
                    INSERT INTO whodid.kept_flow_ways (
                        digest, has_roles, level, type, function, via, entity_type, entity_id, entity_name, touched
                    )
                    SELECT DISTINCT ON (digest)
                        digest, has_roles, level, type, function, via, entity_type, entity_id, entity_name, touched
                    FROM found f
                    WHERE NOT EXISTS (SELECT FROM whodid.kept_flow_ways w WHERE w.digest = f.digest)
                    RETURNING way, digest
                )
                INSERT INTO whodid.kept_flow_events (
                    time, row_count, way, is_use, has_duration, is_error, has_failed, is_program, "user", acting_for
                )
                SELECT time, row_count, way, is_use, has_duration, is_error, has_failed, is_program, "user", acting_for
                FROM found f
                JOIN (
                    SELECT way, digest FROM whodid.kept_flow_ways UNION ALL SELECT way, digest FROM met
                ) w ON w.digest = f.digest
                ORDER BY date_trunc('hour', time);
                EXIT;
            EXCEPTION WHEN unique_violation THEN
            END;
        END LOOP;
    $sql$;
    begins text := 'LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp';
BEGIN
    EXECUTE 'CREATE FUNCTION whodid.add_flows_of(since timestamp, until timestamp) RETURNS void ' || begins
        || ' AS $add$ BEGIN '
        || replace(
            add_flows, '{events}', '(SELECT * FROM public.events WHERE event_time >= since AND event_time < until)'
        )
        || ' END $add$';

    EXECUTE 'CREATE FUNCTION whodid.count_flows_added() RETURNS trigger SECURITY DEFINER ' || begins
        || ' AS $count$ BEGIN PERFORM pg_advisory_xact_lock_shared(7406003); '
        || replace(add_flows, '{events}', 'added')
        || ' RETURN NULL; END $count$';
END
$do$;

-- Makes the hours anew in which events were taken away or changed, and takes away the ways that nobody goes any more.
CREATE FUNCTION whodid.count_flows_removed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $count$
DECLARE
    hours timestamp[] := ARRAY(SELECT DISTINCT date_trunc('hour', event_time) FROM removed);
    ways int[];
    this_hour timestamp;
BEGIN
    PERFORM pg_advisory_xact_lock(7406002), pg_advisory_xact_lock(7406003);
    IF TG_OP = 'UPDATE' THEN
        hours := ARRAY(SELECT unnest(hours) UNION SELECT date_trunc('hour', event_time) FROM added);
    END IF;
    WITH gone AS (
        DELETE FROM whodid.kept_flow_events WHERE date_trunc('hour', time) = ANY(hours) RETURNING way
    )
    SELECT array_agg(DISTINCT way) INTO ways FROM gone;
    FOREACH this_hour IN ARRAY hours LOOP
        PERFORM whodid.add_flows_of(this_hour, this_hour + INTERVAL '1 hour');
    END LOOP;
    DELETE FROM whodid.kept_flow_ways w
    WHERE w.way = ANY(ways) AND NOT EXISTS (SELECT FROM whodid.kept_flow_events e WHERE e.way = w.way);
    RETURN NULL;
END
$count$;

CREATE FUNCTION whodid.count_flows_emptied() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $count$
BEGIN
    TRUNCATE whodid.kept_flow_events, whodid.kept_flow_ways;
    RETURN NULL;
END
$count$;

CREATE TRIGGER count_flows_added AFTER INSERT ON public.events
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION whodid.count_flows_added();
CREATE TRIGGER count_flows_removed AFTER DELETE ON public.events
REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION whodid.count_flows_removed();
CREATE TRIGGER count_flows_changed AFTER UPDATE ON public.events
REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION whodid.count_flows_removed();
CREATE TRIGGER count_flows_emptied AFTER TRUNCATE ON public.events
FOR EACH STATEMENT EXECUTE FUNCTION whodid.count_flows_emptied();

-- Those of the events that are there, a day at once.
SELECT whodid.add_flows_of(day, day + INTERVAL '1 day')
FROM (SELECT DISTINCT day FROM whodid.kept_user_days UNION SELECT date_trunc('day', time) FROM whodid.waiting_events) d
ORDER BY day;

CREATE VIEW whodid.flow_hours AS
SELECT
    date_trunc('hour', e.time) AS hour, e."user", e.acting_for, coalesce(e.acting_for, e."user") AS person,
    CASE WHEN NOT e.is_program THEN coalesce(e.acting_for, e."user") END AS who, w.level, w.type, w.function, w.via,
    w.touched, w.has_roles, w.entity_type, w.entity_id, w.entity_name,
    1 AS events, e.is_use::int AS uses, e.has_duration::int AS runs, e.is_error::int AS errors,
    e.has_failed::int AS failed, e.row_count, e.time AS first, e.time AS last
FROM whodid.kept_flow_events e
JOIN whodid.kept_flow_ways w ON w.way = e.way;
