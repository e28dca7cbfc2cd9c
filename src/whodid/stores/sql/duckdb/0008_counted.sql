-- What is counted of each relation, without what waits: reports read those once.
CREATE VIEW counted_user_hours AS FROM kept_user_hours;
CREATE VIEW counted_thing_hours AS FROM kept_thing_hours;
CREATE VIEW counted_session_hours AS FROM kept_session_hours;
CREATE VIEW counted_event_hours AS
SELECT
    hour, "user", acting_for, person, who, type, level, topic, function, project, events, uses, runs, errors, failed,
    row_count, first, last
FROM kept_thing_hours;
CREATE VIEW counted_entity_hours AS FROM kept_thing_hours UNION ALL FROM kept_touched_hours;
CREATE VIEW counted_flow_hours AS FROM kept_flow_hours;

CREATE VIEW counted_user_days AS FROM kept_user_days;
CREATE VIEW counted_thing_days AS FROM kept_thing_days;
CREATE VIEW counted_session_days AS FROM kept_session_days;
CREATE VIEW counted_event_days AS
SELECT
    day, "user", acting_for, person, who, type, level, topic, function, project, events, uses, runs, errors, failed,
    row_count, first, last
FROM kept_thing_days;
CREATE VIEW counted_entity_days AS FROM kept_thing_days UNION ALL FROM kept_touched_days;
