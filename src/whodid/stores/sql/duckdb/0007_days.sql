-- Counts by the day of UTC, made of those by the hour: most questions are about many days.
CREATE VIEW told_user_days AS SELECT date_trunc('day', hour) AS day, * EXCLUDE (hour) FROM told_user_hours;
CREATE TABLE kept_user_days AS FROM told_user_days LIMIT 0;
CREATE VIEW user_days AS FROM kept_user_days UNION ALL FROM told_user_days;

CREATE VIEW told_thing_days AS SELECT date_trunc('day', hour) AS day, * EXCLUDE (hour) FROM told_thing_hours;
CREATE TABLE kept_thing_days AS FROM told_thing_days LIMIT 0;
CREATE VIEW thing_days AS FROM kept_thing_days UNION ALL FROM told_thing_days;
CREATE VIEW event_days AS
SELECT
    day, "user", acting_for, person, who, type, level, topic, function, project, events, uses, runs, errors, failed,
    row_count, first, last
FROM thing_days;

CREATE VIEW told_touched_days AS SELECT date_trunc('day', hour) AS day, * EXCLUDE (hour) FROM told_touched_hours;
CREATE TABLE kept_touched_days AS FROM told_touched_days LIMIT 0;
CREATE VIEW entity_days AS FROM thing_days UNION ALL FROM kept_touched_days UNION ALL FROM told_touched_days;

CREATE VIEW told_session_days AS
SELECT date_trunc('day', hour) AS day, session, "user", acting_for, person, who FROM told_session_hours;
CREATE TABLE kept_session_days AS FROM told_session_days LIMIT 0;
CREATE VIEW session_days AS FROM kept_session_days UNION ALL FROM told_session_days;

INSERT INTO kept_user_days BY NAME
SELECT
    date_trunc('day', hour) AS day, "user", acting_for, person, who, sum(events) AS events, sum(uses) AS uses,
    sum(runs) AS runs, sum(errors) AS errors, sum(failed) AS failed, sum(row_count) AS row_count, min(first) AS first,
    max(last) AS last
FROM kept_user_hours
GROUP BY ALL
ORDER BY day;

INSERT INTO kept_thing_days BY NAME
SELECT
    date_trunc('day', hour) AS day,
    * EXCLUDE (hour, entity_name, events, uses, runs, errors, failed, row_count, first, last),
    max(entity_name) AS entity_name, sum(events) AS events, sum(uses) AS uses, sum(runs) AS runs,
    sum(errors) AS errors, sum(failed) AS failed, sum(row_count) AS row_count, min(first) AS first, max(last) AS last
FROM kept_thing_hours
GROUP BY ALL
ORDER BY day;

INSERT INTO kept_touched_days BY NAME
SELECT
    date_trunc('day', hour) AS day,
    * EXCLUDE (hour, entity_name, events, uses, runs, errors, failed, row_count, first, last),
    max(entity_name) AS entity_name, sum(events) AS events, sum(uses) AS uses, sum(runs) AS runs,
    sum(errors) AS errors, sum(failed) AS failed, sum(row_count) AS row_count, min(first) AS first, max(last) AS last
FROM kept_touched_hours
GROUP BY ALL
ORDER BY day;

INSERT INTO kept_session_days BY NAME
SELECT DISTINCT date_trunc('day', hour) AS day, session, "user", acting_for, person, who
FROM kept_session_hours
ORDER BY day;
