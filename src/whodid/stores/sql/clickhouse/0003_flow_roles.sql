-- Events that tell of no role in which something goes in or comes out are in no flow, whatever other roles they tell of.
-- JSON may write a role with escapes.
CREATE OR REPLACE VIEW told_flow_hours{on_cluster} AS
SELECT
    time, hour, user, acting_for, person, who, level, type, function, via, touched, has_roles, entity_type, entity_id,
    entity_name, events, uses, runs, errors, failed, row_count, first, last
FROM told_events
WHERE (
    has_roles AND multiSearchAny(
        touched, ['"input"', '"source"', '"read"', '"output"', '"target"', '"result"', '"written"', '\\']
    )
) OR (
    NOT has_roles AND via LIKE '_%:_%' AND entity_type = 'dataset' AND type IN (
        'flow-object-build-success', 'flow-object-build-failed', 'dataset-read-data', 'dataset-read-data-sample'
    )
);

ALTER TABLE kept_flow_hours{local}{on_cluster} DELETE
WHERE has_roles AND NOT multiSearchAny(
    touched, ['"input"', '"source"', '"read"', '"output"', '"target"', '"result"', '"written"', '\\']
) SETTINGS mutations_sync = 1;
