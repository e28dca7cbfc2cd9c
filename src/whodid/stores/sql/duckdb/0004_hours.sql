-- What reports count, by the hour: always exactly what counting the events gives, because each load adds its own rows in
-- its own transaction. A key may have several rows; rows that are not merged are gathered now and then (hours.sql).
CREATE TABLE event_hours (
    hour TIMESTAMP NOT NULL,
    type VARCHAR NOT NULL,
    level VARCHAR NOT NULL,
    topic VARCHAR NOT NULL,
    function VARCHAR,
    "user" VARCHAR,
    acting_for VARCHAR,
    project VARCHAR,
    events BIGINT NOT NULL,
    runs BIGINT NOT NULL,
    errors BIGINT NOT NULL,
    first TIMESTAMP NOT NULL,
    last TIMESTAMP NOT NULL,
    merged BOOLEAN NOT NULL
);

-- Which sessions, and who in them, had an event in an hour.
CREATE TABLE session_hours (
    hour TIMESTAMP NOT NULL,
    session UUID NOT NULL,
    "user" VARCHAR,
    acting_for VARCHAR,
    merged BOOLEAN NOT NULL
);

INSERT INTO event_hours
SELECT
    date_trunc('hour', time) AS hour, type, level, topic, function, "user", acting_for, project,
    count(*), count(duration_ms), count(*) FILTER (WHERE level = 'error' OR error_message IS NOT NULL),
    min(time), max(time), TRUE
FROM events
GROUP BY ALL
ORDER BY hour;

INSERT INTO session_hours
SELECT DISTINCT date_trunc('hour', time) AS hour, session, "user", acting_for, TRUE
FROM events WHERE session IS NOT NULL
ORDER BY hour;
