-- Where things hardly repeat within a day, its rows by the hour are its rows by the day as well: those with a `day`. A
-- counting that leaves such rows puts them into the views `counted_…_days` (hours.sql).
ALTER TABLE kept_thing_hours ADD COLUMN day TIMESTAMP;
ALTER TABLE kept_touched_hours ADD COLUMN day TIMESTAMP;

CREATE OR REPLACE VIEW counted_thing_hours AS SELECT * EXCLUDE (day) FROM kept_thing_hours;
CREATE OR REPLACE VIEW counted_entity_hours AS
FROM counted_thing_hours UNION ALL SELECT * EXCLUDE (day) FROM kept_touched_hours;
CREATE OR REPLACE VIEW thing_hours AS FROM counted_thing_hours UNION ALL FROM told_thing_hours;
CREATE OR REPLACE VIEW entity_hours AS
FROM counted_entity_hours UNION ALL FROM told_thing_hours UNION ALL FROM told_touched_hours;

CREATE VIEW counted_touched_days AS FROM kept_touched_days;
CREATE OR REPLACE VIEW counted_event_days AS
SELECT
    day, "user", acting_for, person, who, type, level, topic, function, project, events, uses, runs, errors, failed,
    row_count, first, last
FROM counted_thing_days;
CREATE OR REPLACE VIEW counted_entity_days AS FROM counted_thing_days UNION ALL FROM counted_touched_days;
CREATE OR REPLACE VIEW thing_days AS FROM counted_thing_days UNION ALL FROM told_thing_days;
CREATE OR REPLACE VIEW entity_days AS
FROM counted_entity_days UNION ALL FROM told_thing_days UNION ALL FROM told_touched_days;
