-- What is done with things by the hour, whoever does it: where many do the same, a fourteenth of the rows that tell of
-- people. A thing has one row in an hour.
SELECT whodid.merge_hours(0);
SET LOCAL work_mem = '256MB';

CREATE TABLE whodid.kept_total_hours (
    hour timestamp NOT NULL,
    first timestamp NOT NULL,
    last timestamp NOT NULL,
    row_count double precision,
    thing int NOT NULL,
    events int NOT NULL,
    uses int,
    runs int,
    errors int,
    failed int
);
INSERT INTO whodid.kept_total_hours (hour, thing, events, uses, runs, errors, failed, row_count, first, last)
SELECT
    hour, thing, sum(events), sum(uses), sum(runs), sum(errors), sum(failed), sum(row_count), min(first), max(last)
FROM whodid.kept_thing_hours
GROUP BY 1, 2
ORDER BY 1, 2;
CREATE INDEX kept_total_hours_hour ON whodid.kept_total_hours USING brin (hour) WITH (pages_per_range = 16);
ANALYZE whodid.kept_total_hours;

CREATE VIEW whodid.total_hours AS
SELECT
    h.hour, t.type, t.level, t.topic, t.function, t.project, t.node, t.node_type, t.has_via, t.by_hand, t.package,
    t.version, t.verb, t.entity_type, t.entity_id, t.entity_name, h.events, coalesce(h.uses, 0) AS uses,
    coalesce(h.runs, 0) AS runs, coalesce(h.errors, 0) AS errors, coalesce(h.failed, 0) AS failed, h.row_count, h.first,
    h.last
FROM whodid.kept_total_hours h
LEFT JOIN whodid.kept_things t ON t.thing = h.thing
UNION ALL
SELECT
    hour, type, level, topic, function, project, node, node_type, has_via, by_hand, package, version, verb, entity_type,
    entity_id, entity_name, events, uses, runs, errors, failed, row_count, first, last
FROM whodid.waiting_hours;

DO $do$
BEGIN
    EXECUTE replace(
        pg_get_functiondef('whodid.merge_hours(int)'::regprocedure),
        E'        RETURNING *\n    )\n    INSERT INTO whodid.kept_user_hours (',
        $added$        RETURNING *
    ), hours AS MATERIALIZED (
        SELECT DISTINCT hour FROM things
    ), before AS (
        DELETE FROM whodid.kept_total_hours
        WHERE hour IN (SELECT hour FROM hours)
        AND hour BETWEEN (SELECT min(hour) FROM hours) AND (SELECT max(hour) FROM hours)
        RETURNING *
    ), totals AS (
        INSERT INTO whodid.kept_total_hours (hour, thing, events, uses, runs, errors, failed, row_count, first, last)
        SELECT
            hour, thing, sum(events), sum(uses), sum(runs), sum(errors), sum(failed), sum(row_count), min(first),
            max(last)
        FROM (
            SELECT hour, thing, events, uses, runs, errors, failed, row_count, first, last FROM before
            UNION ALL
            SELECT hour, thing, events, uses, runs, errors, failed, row_count, first, last FROM things
        ) both_of_them
        GROUP BY 1, 2
        ORDER BY 1, 2
    )
    INSERT INTO whodid.kept_user_hours ($added$
    );
    EXECUTE replace(
        pg_get_functiondef('whodid.count_removed()'::regprocedure),
        'DELETE FROM whodid.kept_user_hours',
        E'DELETE FROM whodid.kept_total_hours WHERE hour IN (SELECT hour FROM recounted_hours);\n'
        '        DELETE FROM whodid.kept_user_hours'
    );
    EXECUTE replace(
        pg_get_functiondef('whodid.count_emptied()'::regprocedure),
        'whodid.kept_user_hours,', 'whodid.kept_user_hours, whodid.kept_total_hours,'
    );
END
$do$;
