-- What reports count, by the hour. The views `event_hours` and `session_hours` (hours.sql) join what was counted with the
-- events that were not counted yet: those behind `seq` of each receiver.
CREATE TABLE counted_events (
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
    last TIMESTAMP NOT NULL
);

-- Which sessions, and who in them, had an event in an hour.
CREATE TABLE counted_sessions (
    hour TIMESTAMP NOT NULL,
    session UUID NOT NULL,
    "user" VARCHAR,
    acting_for VARCHAR
);

CREATE TABLE counted (
    receiver VARCHAR PRIMARY KEY,
    seq BIGINT NOT NULL
);
INSERT INTO counted SELECT receiver, -1 FROM (SELECT DISTINCT receiver FROM events);
