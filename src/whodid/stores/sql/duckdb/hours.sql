-- Counting by the hour: what is counted, what is not yet, and both together.

-- name: own_range
-- $own_rows is where the row ids of the transaction's own rows begin.
SELECT receiver, min(seq) FROM events WHERE rowid >= $own_rows GROUP BY receiver

-- name: known
SELECT receiver, seq FROM counted ORDER BY receiver

-- name: learn
INSERT INTO counted VALUES ($receiver, -1)

-- name: forget
UPDATE counted SET seq = -1

-- name: forget_events
DELETE FROM counted_events

-- name: forget_sessions
DELETE FROM counted_sessions

-- name: waiting
SELECT count(*) FROM uncounted_events

-- name: count_events
INSERT INTO counted_events
SELECT
    date_trunc('hour', time) AS hour, type, level, topic, function, "user", acting_for, project,
    count(*), count(duration_ms), count(*) FILTER (WHERE level = 'error' OR error_message IS NOT NULL),
    min(time), max(time)
FROM uncounted_events
GROUP BY ALL
ORDER BY hour

-- name: count_sessions
INSERT INTO counted_sessions
SELECT DISTINCT date_trunc('hour', time) AS hour, session, "user", acting_for
FROM uncounted_events WHERE session IS NOT NULL
ORDER BY hour

-- name: counted_up_to
SELECT receiver, max(seq) FROM uncounted_events GROUP BY receiver

-- name: advance
UPDATE counted SET seq = $seq WHERE receiver = $receiver

-- name: uncounted_view
-- Constants instead of a join, so that the engine skips what was counted: one branch for each receiver.
CREATE OR REPLACE VIEW uncounted_events AS {branches}

-- name: branch
SELECT
    time, type, level, topic, function, "user", acting_for, project, session, duration_ms, error_message, receiver, seq
FROM events WHERE {condition}

-- name: events_view
CREATE OR REPLACE VIEW event_hours AS
SELECT hour, type, level, topic, function, "user", acting_for, project, events, runs, errors, first, last
FROM counted_events
UNION ALL
SELECT
    date_trunc('hour', time), type, level, topic, function, "user", acting_for, project,
    1, (duration_ms IS NOT NULL)::BIGINT, (level = 'error' OR error_message IS NOT NULL)::BIGINT, time, time
FROM uncounted_events

-- name: sessions_view
CREATE OR REPLACE VIEW session_hours AS
SELECT hour, session, "user", acting_for FROM counted_sessions
UNION ALL
SELECT date_trunc('hour', time), session, "user", acting_for FROM uncounted_events WHERE session IS NOT NULL
