-- Events that tell of no role in which something goes in or comes out are in no flow, whatever other roles they tell of.
-- JSON may write a role with escapes.
CREATE OR REPLACE MACRO may_tell_flow(touched) AS
    contains(touched, '"role"') AND (
        contains(touched, '"input"') OR contains(touched, '"source"') OR contains(touched, '"read"')
        OR contains(touched, '"output"') OR contains(touched, '"target"') OR contains(touched, '"result"')
        OR contains(touched, '"written"') OR contains(touched, '\')
    );

CREATE OR REPLACE VIEW told_flow_hours AS
SELECT
    hour, "user", acting_for, person, who, level, type, function, via, entities::VARCHAR AS touched,
    contains(entities::VARCHAR, '"role"') AS has_roles, entity_type, entity_id, entity_name, events, uses, runs, errors,
    failed, row_count, first, last
FROM told_events
WHERE
    may_tell_flow(entities::VARCHAR) OR (
        NOT contains(entities::VARCHAR, '"role"') AND via LIKE '_%:_%' AND entity_type = 'dataset' AND type IN (
            'flow-object-build-success', 'flow-object-build-failed', 'dataset-read-data', 'dataset-read-data-sample'
        )
    );

-- Written anew, because what is deleted out of the middle stays in the file.
CREATE OR REPLACE TABLE kept_flow_hours AS
FROM kept_flow_hours WHERE NOT has_roles OR may_tell_flow(touched) ORDER BY hour;
