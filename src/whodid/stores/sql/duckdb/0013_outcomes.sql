-- What became known of predictions, and what the queries were asked and answered of which samples are taken: to find
-- these among all events took most of the time of comparing them.
CREATE VIEW told_outcome_events AS
SELECT
    id, time, level, told[1] AS service, told[2] AS outcome_key, told[3] AS outcome,
    coalesce(told[4], 'request_id') AS match
FROM (
    SELECT id, time, level, json_extract_string(parameters, ['/serviceId', '/key', '/outcome', '/match']) AS told
    FROM uncounted_events
    WHERE topic = 'apinode-query' AND type = 'ground-truth'
);
CREATE TABLE kept_outcome_events AS FROM told_outcome_events LIMIT 0;
CREATE VIEW outcome_events AS FROM kept_outcome_events UNION ALL FROM told_outcome_events;

CREATE VIEW told_answer_events AS
SELECT id, time, level, request_id, parameters
FROM uncounted_events
WHERE topic = 'apinode-query' AND type <> 'ground-truth'
    AND ('0x' || right(id::VARCHAR, 6))::INTEGER / 16777216.0 < 0.125;
CREATE TABLE kept_answer_events AS FROM told_answer_events LIMIT 0;
CREATE VIEW answer_events AS FROM kept_answer_events UNION ALL FROM told_answer_events;

INSERT INTO kept_outcome_events
SELECT id, time, level, told[1], told[2], told[3], coalesce(told[4], 'request_id')
FROM (
    SELECT
        events.id, time, level, json_extract_string(parameters, ['/serviceId', '/key', '/outcome', '/match']) AS told
    FROM events JOIN counted USING (receiver)
    WHERE events.seq <= counted.seq AND topic = 'apinode-query' AND type = 'ground-truth'
)
ORDER BY time;
INSERT INTO kept_answer_events
SELECT id, time, level, request_id, parameters
FROM events JOIN counted USING (receiver)
WHERE events.seq <= counted.seq AND topic = 'apinode-query' AND type <> 'ground-truth'
    AND ('0x' || right(id::VARCHAR, 6))::INTEGER / 16777216.0 < 0.125
ORDER BY time;
