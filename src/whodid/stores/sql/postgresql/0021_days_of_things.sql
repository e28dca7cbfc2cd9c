-- Things by the day of UTC, of days in which that takes a third fewer rows than by the hour; things of all other days are
-- told by the hour. A day is made once others are counted, so that the latest is not made anew with every count.
SET LOCAL work_mem = '256MB';

CREATE TABLE whodid.kept_thing_days (
    day timestamp NOT NULL,
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
CREATE INDEX kept_thing_days_day ON whodid.kept_thing_days USING brin (day) WITH (pages_per_range = 16);
CREATE INDEX kept_thing_days_thing ON whodid.kept_thing_days (thing);

CREATE TABLE whodid.kept_hourly_days (day timestamp PRIMARY KEY, is_settled boolean NOT NULL);
COMMENT ON TABLE whodid.kept_hourly_days IS 'the days of which things are told by the hour; settled: they shall be';

-- Makes the days that shall be told by the day: all that are not settled, but for some and for the latest.
CREATE FUNCTION whodid.settle_days(others timestamp[]) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET work_mem = '64MB' AS $settle$
DECLARE
    this_day timestamp;
BEGIN
    FOR this_day IN
        SELECT day FROM whodid.kept_hourly_days
        WHERE NOT is_settled AND day <> ALL(others) AND day < (SELECT max(day) FROM whodid.kept_hourly_days)
    LOOP
        WITH counted AS MATERIALIZED (
            SELECT
                thing, "user", acting_for, is_program, sum(events) AS events, sum(uses) AS uses, sum(runs) AS runs,
                sum(errors) AS errors, sum(failed) AS failed, sum(row_count) AS row_count, min(first) AS first,
                max(last) AS last, count(*) AS rows_by_hour
            FROM whodid.kept_thing_hours
            WHERE hour >= this_day AND hour < this_day + INTERVAL '1 day'
            GROUP BY 1, 2, 3, 4
        ), worth AS MATERIALIZED (
            SELECT coalesce(3 * count(*) <= 2 * sum(rows_by_hour), true) AS is_worth FROM counted
        ), made AS (
            INSERT INTO whodid.kept_thing_days (
                day, thing, "user", acting_for, is_program, events, uses, runs, errors, failed, row_count, first, last
            )
            SELECT
                this_day, thing, "user", acting_for, is_program, events, uses, runs, errors, failed, row_count, first,
                last
            FROM counted CROSS JOIN worth
            WHERE is_worth
            ORDER BY thing
        ), left_to_hours AS (
            UPDATE whodid.kept_hourly_days SET is_settled = true FROM worth WHERE day = this_day AND NOT is_worth
        )
        DELETE FROM whodid.kept_hourly_days USING worth WHERE day = this_day AND is_worth;
    END LOOP;
END
$settle$;

CREATE FUNCTION whodid.open_days(days timestamp[]) RETURNS void LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $open$
    DELETE FROM whodid.kept_thing_days WHERE day = ANY(days);
    INSERT INTO whodid.kept_hourly_days (day, is_settled) SELECT DISTINCT day, false FROM unnest(days) AS d (day)
    ON CONFLICT (day) DO UPDATE SET is_settled = false;
$open$;

CREATE OR REPLACE FUNCTION whodid.make_days(days timestamp[]) RETURNS void LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $make$
    SELECT whodid.make_people_days(days);
    SELECT whodid.make_usage_days(days);
    SELECT whodid.gather_runs(days);
    SELECT whodid.open_days(days);
    SELECT whodid.settle_days(days);
$make$;

DO $do$
BEGIN
    EXECUTE replace(
        pg_get_functiondef('whodid.merge_hours(int)'::regprocedure),
        E'<= rows_max THEN\n', E'<= rows_max THEN\n        PERFORM whodid.settle_days(''{}'');\n'
    );
    EXECUTE replace(
        pg_get_functiondef('whodid.count_emptied()'::regprocedure),
        'whodid.kept_thing_hours,', 'whodid.kept_thing_hours, whodid.kept_thing_days, whodid.kept_hourly_days,'
    );
END
$do$;

-- Things are joined so that who asks for none of their columns does not read them.
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
    LEFT JOIN whodid.kept_things t ON t.thing = h.thing
    UNION ALL
    SELECT
        hour, first, last, events, uses, runs, errors, failed, is_program, has_via, by_hand, type, level, topic, verb,
        "user", acting_for, function, project, entity_type, entity_id, entity_name, node, node_type, package, version,
        row_count
    FROM whodid.waiting_hours
) counted;

CREATE VIEW whodid.thing_days AS
SELECT
    day, "user", acting_for, coalesce(acting_for, "user") AS person,
    CASE WHEN NOT is_program THEN coalesce(acting_for, "user") END AS who, type, level, topic, function, project,
    node, node_type, has_via, by_hand, package, version, verb, entity_type, entity_id, entity_name,
    events, uses, runs, errors, failed, row_count, first, last
FROM (
    SELECT
        d.day, d.first, d.last, d.events, coalesce(d.uses, 0) AS uses, coalesce(d.runs, 0) AS runs,
        coalesce(d.errors, 0) AS errors, coalesce(d.failed, 0) AS failed, d.is_program, t.has_via, t.by_hand, t.type,
        t.level, t.topic, t.verb, d."user", d.acting_for, t.function, t.project, t.entity_type, t.entity_id,
        t.entity_name, t.node, t.node_type, t.package, t.version, d.row_count
    FROM whodid.kept_thing_days d
    LEFT JOIN whodid.kept_things t ON t.thing = d.thing
    UNION ALL
    SELECT
        h.day, h.first, h.last, h.events, coalesce(h.uses, 0), coalesce(h.runs, 0), coalesce(h.errors, 0),
        coalesce(h.failed, 0), h.is_program, t.has_via, t.by_hand, t.type, t.level, t.topic, t.verb, h."user",
        h.acting_for, t.function, t.project, t.entity_type, t.entity_id, t.entity_name, t.node, t.node_type, t.package,
        t.version, h.row_count
    FROM (
        SELECT *
        FROM whodid.kept_hourly_days d
        CROSS JOIN LATERAL (
            -- By itself, so that the hours of each day are looked for, not the day of each hour.
            SELECT * FROM whodid.kept_thing_hours WHERE hour >= d.day AND hour < d.day + INTERVAL '1 day' OFFSET 0
        ) of_day
    ) h
    LEFT JOIN whodid.kept_things t ON t.thing = h.thing
    UNION ALL
    SELECT
        date_trunc('day', hour), first, last, events, uses, runs, errors, failed, is_program, has_via, by_hand, type,
        level, topic, verb, "user", acting_for, function, project, entity_type, entity_id, entity_name, node, node_type,
        package, version, row_count
    FROM whodid.waiting_hours
) counted;

CREATE VIEW whodid.event_days AS
SELECT
    day, "user", acting_for, person, who, type, level, topic, function, project, events, uses, runs, errors, failed,
    row_count, first, last
FROM whodid.thing_days;

-- The things of events beyond their first.
CREATE VIEW whodid.further_hours AS
SELECT
    date_trunc('hour', x.time) AS hour, e."user", e.acting_for, coalesce(e.acting_for, e."user") AS person,
    CASE WHEN NOT whodid.is_program(coalesce(e.acting_for, e."user")) THEN coalesce(e.acting_for, e."user") END AS who,
    e.type, e.source AS level, e.topic, e.function,
    whodid.project_of(e.parameters, e.entities, e.entity_type, e.entity_id) AS project, e.node, e.node_type,
    e.via IS NOT NULL AS has_via,
    e.via IS NULL AND coalesce(
        CASE
            WHEN e.format LIKE 'dss%' OR e.node_type IN ('design', 'automation') THEN e.parameters ->> 'authSource'
        END,
        'USER_FROM_UI'
    ) = 'USER_FROM_UI' AS by_hand,
    e.parameters ->> 'package' AS package,
    CASE WHEN e.parameters ->> 'package' IS NOT NULL THEN e.parameters ->> 'version' END AS version,
    whodid.verb_of(e.type, e.source = 'error' OR e.error_message IS NOT NULL, e.duration_ms IS NOT NULL) AS verb,
    x.type AS entity_type, x.id AS entity_id, x.name AS entity_name, 1 AS events,
    CASE WHEN whodid.is_use(e.source, e.topic) THEN 1 ELSE 0 END AS uses,
    CASE WHEN e.duration_ms IS NOT NULL THEN 1 ELSE 0 END AS runs,
    CASE WHEN e.source = 'error' OR e.error_message IS NOT NULL THEN 1 ELSE 0 END AS errors,
    CASE
        WHEN e.source = 'error' OR e.error_message IS NOT NULL OR coalesce(e.status = 'failed', false) THEN 1 ELSE 0
    END AS failed,
    whodid.number_of(e.parameters ->> 'rows') AS row_count, e.event_time AS first, e.event_time AS last
FROM (
    SELECT event_id, time, type, id, min(name) AS name FROM whodid.event_entities GROUP BY 1, 2, 3, 4
) x
JOIN public.events e ON e.event_time = x.time AND e.id = x.event_id
WHERE e.entity_type <> x.type OR e.entity_id <> x.id;

CREATE OR REPLACE VIEW whodid.entity_hours AS
SELECT
    hour, "user", acting_for, person, who, type, level, topic, function, project, node, node_type, has_via, by_hand,
    package, version, verb, entity_type, entity_id, entity_name, events, uses, runs, errors, failed, row_count, first,
    last
FROM whodid.thing_hours
UNION ALL
SELECT * FROM whodid.further_hours;

CREATE VIEW whodid.entity_days AS
SELECT
    day, "user", acting_for, person, who, type, level, topic, function, project, node, node_type, has_via, by_hand,
    package, version, verb, entity_type, entity_id, entity_name, events, uses, runs, errors, failed, row_count, first,
    last
FROM whodid.thing_days
UNION ALL
SELECT
    date_trunc('day', hour), "user", acting_for, person, who, type, level, topic, function, project, node, node_type,
    has_via, by_hand, package, version, verb, entity_type, entity_id, entity_name, events, uses, runs, errors, failed,
    row_count, first, last
FROM whodid.further_hours;

-- The days that are there.
SELECT whodid.open_days(ARRAY(SELECT DISTINCT day FROM whodid.kept_user_days)), whodid.settle_days('{}');
ANALYZE whodid.kept_thing_days;
ANALYZE whodid.kept_hourly_days;
