-- What API nodes were asked; services, endpoints and callers are told in several ways.
SELECT
    e.id, e.time, e.type, e.level, e.topic, e."user", e.acting_for, person() AS person, who() AS who,
    project() AS project, e.entity_type, e.entity_id, e.request_id,
    coalesce(parameter('serviceId'), parameter('service'), CASE WHEN e.entity_type = 'api-service' THEN e.entity_id END,
        parameter('deploymentId'), 'unknown') AS service,
    coalesce(parameter('endpointId'), parameter('endpoint'), e.function, e.type) AS endpoint,
    coalesce(parameter('version'), parameter('generation'), parameter('serviceGeneration'),
        parameter_at('context.version')) AS version,
    coalesce(parameter('version'), parameter('generation'), parameter('serviceGeneration')) AS told_version,
    coalesce(parameter_at('context.caller'), e."user", parameter('apiKey')) AS caller,
    e.node,
    coalesce(e.duration_ms, number_of(parameter_at('timing.total')), number_of(parameter('callTime'))) AS duration_ms,
    (is_error() OR coalesce(e.status IN ('failed', 'error'), FALSE)) AS has_failed,
    chance() AS chance
FROM events e
WHERE e.topic = 'apinode-query' AND e.type <> 'ground-truth'
