-- Flows by the day, whoever did it: an eighth of the rows by the hour. How often a way was gone asks for nobody.
CREATE VIEW told_flow_days AS
SELECT date_trunc('day', hour) AS day, * EXCLUDE (hour, "user", acting_for, person, who) FROM told_flow_hours;
CREATE TABLE kept_flow_days AS FROM told_flow_days LIMIT 0;
CREATE VIEW counted_flow_days AS FROM kept_flow_days;
CREATE VIEW flow_days AS FROM kept_flow_days UNION ALL FROM told_flow_days;

INSERT INTO kept_flow_days BY NAME
SELECT
    date_trunc('day', hour) AS day,
    * EXCLUDE (
        hour, "user", acting_for, person, who, events, uses, runs, errors, failed, row_count, first, last
    ),
    sum(events) AS events, sum(uses) AS uses, sum(runs) AS runs, sum(errors) AS errors, sum(failed) AS failed,
    sum(row_count) AS row_count, min(first) AS first, max(last) AS last
FROM kept_flow_hours
GROUP BY ALL
ORDER BY day;
