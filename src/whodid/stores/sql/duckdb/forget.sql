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

-- name: thing_hours
DELETE FROM kept_thing_hours WHERE level = $level AND hour >= $since AND hour < $until

-- name: touched_hours
DELETE FROM kept_touched_hours WHERE level = $level AND hour >= $since AND hour < $until

-- name: flow_hours
DELETE FROM kept_flow_hours WHERE level = $level AND hour >= $since AND hour < $until

-- name: usage_hours
DELETE FROM kept_usage_hours WHERE level = $level AND hour >= $since AND hour < $until

-- name: kept_events
DELETE FROM kept_{relation} WHERE level = $level AND time >= $since AND time < $until

-- name: user_hours
DELETE FROM kept_user_hours WHERE hour >= $since AND hour < $until

-- name: users_again
INSERT INTO kept_user_hours BY NAME
SELECT
    hour, "user", acting_for, person, who, sum(events) AS events, sum(uses) AS uses, sum(runs) AS runs,
    sum(errors) AS errors, sum(failed) AS failed, sum(row_count) AS row_count, min(first) AS first, max(last) AS last
FROM kept_thing_hours WHERE hour >= $since AND hour < $until
GROUP BY ALL

-- name: session_hours
DELETE FROM kept_session_hours WHERE hour >= $since AND hour < $until

-- name: sessions_again
INSERT INTO kept_session_hours BY NAME
SELECT DISTINCT
    date_trunc('hour', time) AS hour, session, "user", acting_for, coalesce(acting_for, "user") AS person,
    who_of(coalesce(acting_for, "user")) AS who, project
FROM events WHERE time >= $since AND time < $until AND session IS NOT NULL
