-- Items of the interface by the hour, a sixth of their events. Which item an event is about waits with the rest.
SELECT whodid.merge_hours(0);
SET LOCAL work_mem = '256MB';

-- Of what kind the items of a type are; NULL where it is not about an item.
CREATE FUNCTION whodid.item_kind(type text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $kind$
    SELECT CASE
        WHEN type IN ('main-menu-item-click', 'menu click', 'menu-click', 'menu-item-click') THEN 'menu'
        WHEN type IN ('dialog show', 'dialog-show', 'dialog-shown') THEN 'dialog'
        WHEN type IN ('click', 'command', 'input') THEN type
    END
$kind$;

CREATE TABLE whodid.kept_item_hours (
    hour timestamp NOT NULL,
    first timestamp NOT NULL,
    last timestamp NOT NULL,
    events int NOT NULL,
    is_program boolean NOT NULL,
    type text NOT NULL,
    item text,
    "user" text,
    acting_for text,
    level text NOT NULL,
    topic text NOT NULL,
    project text
);
INSERT INTO whodid.kept_item_hours (
    hour, type, item, "user", acting_for, is_program, level, topic, project, events, first, last
)
SELECT
    date_trunc('hour', time), type, item, "user", acting_for, is_program, level, topic, project, count(*), min(time),
    max(time)
FROM whodid.kept_item_events
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
ORDER BY 1, 2, 3;
CREATE INDEX kept_item_hours_hour ON whodid.kept_item_hours USING brin (hour) WITH (pages_per_range = 16);
ANALYZE whodid.kept_item_hours;

ALTER TYPE whodid.waiting_event ADD ATTRIBUTE item text;
CREATE OR REPLACE VIEW whodid.waiting_events AS
SELECT w.*
FROM (
    SELECT l.events FROM whodid.waiting_lists l CROSS JOIN LATERAL generate_series(l.size, l.size) OFFSET 0
) lists
CROSS JOIN LATERAL unnest(lists.events) AS w;

CREATE VIEW whodid.item_hours AS
SELECT
    hour, "user", acting_for, coalesce(acting_for, "user") AS person,
    CASE WHEN NOT is_program THEN coalesce(acting_for, "user") END AS who, type, level, topic, project,
    whodid.item_kind(type) AS kind, item, events, first, last
FROM (
    SELECT hour, "user", acting_for, is_program, type, level, topic, project, item, events, first, last
    FROM whodid.kept_item_hours
    UNION ALL
    SELECT
        date_trunc('hour', time), "user", acting_for, is_program, type, level, topic, project, item, 1, time, time
    FROM whodid.waiting_events
    WHERE whodid.item_kind(type) IS NOT NULL
) counted;

DO $do$
BEGIN
    EXECUTE replace(
        pg_get_functiondef('whodid.waiting_of(public.events)'::regprocedure),
        'e.entity_name',
        $added$e.entity_name,
        CASE
            WHEN whodid.item_kind(e.type) IS NOT NULL
            THEN coalesce(
                CASE
                    WHEN whodid.item_kind(e.type) = 'dialog' THEN e.parameters ->> 'dialog'
                    WHEN e.type = 'click' THEN e.parameters ->> 'target'
                    WHEN e.type = 'command' THEN e.parameters ->> 'command'
                    WHEN e.type = 'input' THEN e.parameters ->> 'input'
                END,
                e.parameters ->> 'item', e.parameters ->> 'name'
            )
        END$added$
    );
    EXECUTE replace(
        pg_get_functiondef('whodid.merge_hours(int)'::regprocedure),
        '    PERFORM whodid.make_days(',
        $added$    WITH items AS MATERIALIZED (
        SELECT
            date_trunc('hour', time) AS hour, type, item, "user", acting_for, is_program, level, topic, project,
            count(*) AS events, min(time) AS first, max(time) AS last
        FROM counted_events
        WHERE whodid.item_kind(type) IS NOT NULL
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
    ), before AS (
        DELETE FROM whodid.kept_item_hours
        WHERE hour IN (SELECT hour FROM items)
        AND hour BETWEEN (SELECT min(hour) FROM items) AND (SELECT max(hour) FROM items)
        RETURNING *
    )
    INSERT INTO whodid.kept_item_hours (
        hour, type, item, "user", acting_for, is_program, level, topic, project, events, first, last
    )
    SELECT
        hour, type, item, "user", acting_for, is_program, level, topic, project, sum(events), min(first), max(last)
    FROM (
        SELECT hour, type, item, "user", acting_for, is_program, level, topic, project, events, first, last FROM before
        UNION ALL
        SELECT * FROM items
    ) both_of_them
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
    ORDER BY 1, 2, 3;

    PERFORM whodid.make_days($added$
    );
    EXECUTE replace(
        pg_get_functiondef('whodid.count_removed()'::regprocedure),
        'DELETE FROM whodid.kept_user_hours',
        E'DELETE FROM whodid.kept_item_hours WHERE hour IN (SELECT hour FROM recounted_hours);\n'
        '        DELETE FROM whodid.kept_user_hours'
    );
    EXECUTE replace(
        pg_get_functiondef('whodid.count_emptied()'::regprocedure),
        'whodid.kept_user_hours,', 'whodid.kept_user_hours, whodid.kept_item_hours,'
    );
END
$do$;
