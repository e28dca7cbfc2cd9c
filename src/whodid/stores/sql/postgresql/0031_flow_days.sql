-- Flows by the day, whoever did it: what goes the same way is counted before the way is looked at.
CREATE INDEX kept_flow_events_day ON whodid.kept_flow_events
USING brin (date_trunc('day', time)) WITH (pages_per_range = 16);

CREATE VIEW whodid.flow_days AS
SELECT
    e.day, w.level, w.type, w.function, w.via, w.touched, w.has_roles, w.entity_type, w.entity_id, w.entity_name,
    e.events, e.uses, e.runs, e.errors, e.failed, e.row_count, e.first, e.last
FROM (
    SELECT
        way, date_trunc('day', time) AS day, count(*) AS events, count(*) FILTER (WHERE is_use) AS uses,
        count(*) FILTER (WHERE has_duration) AS runs, count(*) FILTER (WHERE is_error) AS errors,
        count(*) FILTER (WHERE has_failed) AS failed, sum(row_count) AS row_count, min(time) AS first,
        max(time) AS last
    FROM whodid.kept_flow_events
    GROUP BY 1, 2
) e
JOIN whodid.kept_flow_ways w ON w.way = e.way;
