-- Taking old events of a level away, a stretch of time at once; the counts by the hour follow.

-- name: oldest
SELECT min(time) FROM events WHERE level = $level

-- name: waiting
SELECT count(*) FROM events WHERE level = $level AND time >= $since AND time < $until

-- name: entities
DELETE FROM event_entities WHERE time >= $since AND time < $until AND event_id IN (
    SELECT id FROM events WHERE level = $level AND time >= $since AND time < $until
)

-- name: events
DELETE FROM events WHERE level = $level AND time >= $since AND time < $until

-- name: event_hours
DELETE FROM counted_events WHERE level = $level AND hour >= $since AND hour < $until

-- name: session_hours
DELETE FROM counted_sessions WHERE hour >= $since AND hour < $until

-- name: sessions_again
INSERT INTO counted_sessions
SELECT DISTINCT date_trunc('hour', time), session, "user", acting_for
FROM events WHERE time >= $since AND time < $until AND session IS NOT NULL
