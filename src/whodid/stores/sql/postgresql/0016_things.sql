-- What is counted by the thing names it by a number: what was done, to which thing, on which node are few, and long. Half
-- the bytes, and the hours of a thing are found. Further things of an event are read out of the events.
SET LOCAL work_mem = '256MB';

CREATE TABLE whodid.kept_things (
    thing int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest bytea NOT NULL UNIQUE,
    has_via boolean NOT NULL,
    by_hand boolean NOT NULL,
    type text NOT NULL,
    level text NOT NULL,
    topic text NOT NULL,
    verb text NOT NULL,
    function text,
    project text,
    entity_type text,
    entity_id text,
    entity_name text,
    node text,
    node_type text,
    package text,
    version text
);
COMMENT ON COLUMN whodid.kept_things.digest IS 'the SHA-256 of all other columns';
CREATE INDEX kept_things_entity ON whodid.kept_things (entity_id);

CREATE FUNCTION whodid.digest_of(thing text) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $digest$
    SELECT sha256(convert_to(thing, 'UTF8'))
$digest$;

-- Sums that are 0 are NULL. Columns stand in the order that packs best.
ALTER TABLE whodid.kept_thing_hours RENAME TO told_thing_hours;
DROP INDEX whodid.kept_thing_hours_hour;
CREATE TABLE whodid.kept_thing_hours (
    hour timestamp NOT NULL,
    first timestamp NOT NULL,
    last timestamp NOT NULL,
    row_count double precision,
    thing int NOT NULL,
    events int NOT NULL,
    uses int,
    runs int,
    errors int,
    failed int,
    is_program boolean NOT NULL,
    "user" text,
    acting_for text
);

CREATE TEMP TABLE counted ON COMMIT DROP AS
SELECT
    *,
    whodid.digest_of(CAST(ROW(
        has_via, by_hand, type, level, topic, verb, function, project, entity_type, entity_id, entity_name, node,
        node_type, package, version
    ) AS text)) AS digest
FROM (
    SELECT DISTINCT
        has_via, by_hand, type, level, topic, verb, function, project, entity_type, entity_id, entity_name, node,
        node_type, package, version
    FROM whodid.told_thing_hours
) t;
INSERT INTO whodid.kept_things (
    has_via, by_hand, type, level, topic, verb, function, project, entity_type, entity_id, entity_name, node, node_type,
    package, version, digest
)
SELECT
    has_via, by_hand, type, level, topic, verb, function, project, entity_type, entity_id, entity_name, node, node_type,
    package, version, digest
FROM counted
ORDER BY entity_type, entity_id;
ANALYZE whodid.kept_things;
INSERT INTO whodid.kept_thing_hours (
    hour, first, last, row_count, thing, events, uses, runs, errors, failed, is_program, "user", acting_for
)
SELECT
    hour, first, last, row_count, t.thing, events, nullif(uses, 0), nullif(runs, 0), nullif(errors, 0),
    nullif(failed, 0), is_program, "user", acting_for
FROM whodid.told_thing_hours h
JOIN whodid.kept_things t ON t.digest = whodid.digest_of(CAST(ROW(
    h.has_via, h.by_hand, h.type, h.level, h.topic, h.verb, h.function, h.project, h.entity_type, h.entity_id,
    h.entity_name, h.node, h.node_type, h.package, h.version
) AS text))
ORDER BY hour, t.thing;
DROP TABLE counted;
CREATE INDEX kept_thing_hours_hour ON whodid.kept_thing_hours USING brin (hour) WITH (pages_per_range = 16);
CREATE INDEX kept_thing_hours_thing ON whodid.kept_thing_hours (thing);

CREATE OR REPLACE VIEW whodid.thing_hours AS
SELECT
    hour, "user", acting_for, coalesce(acting_for, "user") AS person,
    CASE WHEN NOT is_program THEN coalesce(acting_for, "user") END AS who, type, level, topic, function, project,
    node, node_type, has_via, by_hand, package, version, verb, entity_type, entity_id, entity_name,
    events, uses, runs, errors, failed, row_count, first, last
FROM (
    SELECT
        h.hour, h.first, h.last, h.events, coalesce(h.uses, 0) AS uses, coalesce(h.runs, 0) AS runs,
        coalesce(h.errors, 0) AS errors, coalesce(h.failed, 0) AS failed, h.is_program, t.has_via, t.by_hand, t.type,
        t.level, t.topic, t.verb, h."user", h.acting_for, t.function, t.project, t.entity_type, t.entity_id,
        t.entity_name, t.node, t.node_type, t.package, t.version, h.row_count
    FROM whodid.kept_thing_hours h
    JOIN whodid.kept_things t ON t.thing = h.thing
    UNION ALL
    SELECT
        hour, first, last, events, uses, runs, errors, failed, is_program, has_via, by_hand, type, level, topic, verb,
        "user", acting_for, function, project, entity_type, entity_id, entity_name, node, node_type, package, version,
        row_count
    FROM whodid.waiting_hours
) counted;
DROP TABLE whodid.told_thing_hours;

CREATE OR REPLACE FUNCTION whodid.merge_hours(rows_max int) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET work_mem = '64MB' AS $merge$
BEGIN
    IF (SELECT count(*) FROM (SELECT FROM whodid.waiting_events LIMIT rows_max + 1) w) <= rows_max THEN
        RETURN;
    END IF;
    CREATE TEMP TABLE counted_events ON COMMIT DROP AS
    WITH gone AS (DELETE FROM whodid.waiting_events RETURNING *)
    SELECT
        *,
        whodid.digest_of(CAST(ROW(
            has_via, by_hand, type, level, topic, verb, function, project, entity_type, entity_id, entity_name, node,
            node_type, package, version
        ) AS text)) AS digest
    FROM (SELECT *, whodid.verb_of(type, is_error, has_duration) AS verb FROM gone OFFSET 0) w;

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
            nullif(count(*) FILTER (WHERE has_duration), 0), nullif(count(*) FILTER (WHERE is_error), 0),
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

    PERFORM whodid.make_days(ARRAY(SELECT DISTINCT date_trunc('day', time) FROM counted_events));
    DROP TABLE counted_events;
END
$merge$;

-- What nothing is counted of any more is not to be found either.
CREATE FUNCTION whodid.forget_things() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $forget$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        TRUNCATE whodid.kept_things;
        RETURN NULL;
    END IF;
    DELETE FROM whodid.kept_things t
    WHERE t.thing IN (SELECT thing FROM gone)
    AND NOT EXISTS (SELECT FROM whodid.kept_thing_hours h WHERE h.thing = t.thing);
    RETURN NULL;
END
$forget$;
CREATE TRIGGER forget_things AFTER DELETE ON whodid.kept_thing_hours
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION whodid.forget_things();
CREATE TRIGGER forget_all_things AFTER TRUNCATE ON whodid.kept_thing_hours
FOR EACH STATEMENT EXECUTE FUNCTION whodid.forget_things();

-- Further things of an event stand under its time; who changes that changes it there, too.
CREATE FUNCTION whodid.move_entities() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $move$
BEGIN
    UPDATE whodid.event_entities x SET time = e.event_time
    FROM added e
    WHERE x.event_id = e.id AND x.time <> e.event_time;
    RETURN NULL;
END
$move$;
CREATE TRIGGER move_entities AFTER UPDATE ON public.events
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION whodid.move_entities();

CREATE VIEW whodid.entity_hours AS
SELECT
    hour, "user", acting_for, person, who, type, level, topic, function, project, node, node_type, has_via, by_hand,
    package, version, verb, entity_type, entity_id, entity_name, events, uses, runs, errors, failed, row_count, first,
    last
FROM whodid.thing_hours
UNION ALL
SELECT
    date_trunc('hour', x.time), e."user", e.acting_for, coalesce(e.acting_for, e."user"),
    CASE WHEN NOT whodid.is_program(coalesce(e.acting_for, e."user")) THEN coalesce(e.acting_for, e."user") END,
    e.type, e.source, e.topic, e.function, e.project, e.node, e.node_type, e.via IS NOT NULL,
    e.via IS NULL AND coalesce(
        CASE
            WHEN e.format LIKE 'dss%' OR e.node_type IN ('design', 'automation') THEN e.parameters ->> 'authSource'
        END,
        'USER_FROM_UI'
    ) = 'USER_FROM_UI',
    e.parameters ->> 'package',
    CASE WHEN e.parameters ->> 'package' IS NOT NULL THEN e.parameters ->> 'version' END,
    whodid.verb_of(e.type, e.source = 'error' OR e.error_message IS NOT NULL, e.duration_ms IS NOT NULL),
    x.type, x.id, x.name, 1,
    CASE WHEN whodid.is_use(e.source, e.topic) THEN 1 ELSE 0 END,
    CASE WHEN e.duration_ms IS NOT NULL THEN 1 ELSE 0 END,
    CASE WHEN e.source = 'error' OR e.error_message IS NOT NULL THEN 1 ELSE 0 END,
    CASE
        WHEN e.source = 'error' OR e.error_message IS NOT NULL OR coalesce(e.status = 'failed', false) THEN 1 ELSE 0
    END,
    whodid.number_of(e.parameters ->> 'rows'), e.event_time, e.event_time
FROM (
    SELECT event_id, time, type, id, min(name) AS name FROM whodid.event_entities GROUP BY 1, 2, 3, 4
) x
JOIN public.events e ON e.event_time = x.time AND e.id = x.event_id
WHERE e.entity_type <> x.type OR e.entity_id <> x.id;
