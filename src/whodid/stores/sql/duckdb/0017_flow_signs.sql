-- Whether events tell of a flow is looked for where a role stands, and not wherever its word does: a third of the time
-- of looking for each of these words. JSON may write a role with escapes.
CREATE OR REPLACE MACRO may_tell_flow(touched) AS
    regexp_matches(touched, '"role"\s*:\s*"(input|source|read|output|target|result|written)"')
    OR (contains(touched, '\') AND contains(touched, '"role"'));

CREATE OR REPLACE TABLE kept_flow_hours AS
FROM kept_flow_hours WHERE NOT has_roles OR may_tell_flow(touched) ORDER BY hour;
