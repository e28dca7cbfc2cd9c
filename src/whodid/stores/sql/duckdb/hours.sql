-- What a load adds to the counts by the hour; $own_rows is where the row ids of the transaction's own rows begin.

-- name: add_events
INSERT INTO event_hours
SELECT
    date_trunc('hour', time) AS hour, type, level, topic, function, "user", acting_for, project,
    count(*), count(duration_ms), count(*) FILTER (WHERE level = 'error' OR error_message IS NOT NULL),
    min(time), max(time), FALSE
FROM events WHERE rowid >= $own_rows
GROUP BY ALL

-- name: add_sessions
INSERT INTO session_hours
SELECT DISTINCT date_trunc('hour', time), session, "user", acting_for, FALSE
FROM events WHERE rowid >= $own_rows AND session IS NOT NULL

-- name: waiting_events
SELECT count(*) FROM event_hours WHERE NOT merged

-- name: waiting_sessions
SELECT count(*) FROM session_hours WHERE NOT merged

-- name: gather_events
CREATE OR REPLACE TEMP TABLE gathered_hours AS
SELECT
    hour, type, level, topic, function, "user", acting_for, project,
    sum(events)::BIGINT, sum(runs)::BIGINT, sum(errors)::BIGINT, min(first), max(last), TRUE
FROM event_hours WHERE NOT merged
GROUP BY ALL

-- name: gather_sessions
CREATE OR REPLACE TEMP TABLE gathered_hours AS
SELECT DISTINCT hour, session, "user", acting_for, TRUE FROM session_hours WHERE NOT merged

-- name: drop_events
DELETE FROM event_hours WHERE NOT merged

-- name: drop_sessions
DELETE FROM session_hours WHERE NOT merged

-- name: keep_events
INSERT INTO event_hours FROM gathered_hours ORDER BY hour

-- name: keep_sessions
INSERT INTO session_hours FROM gathered_hours ORDER BY hour
