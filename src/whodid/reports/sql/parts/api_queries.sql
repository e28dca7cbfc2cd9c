-- What API nodes were asked, from a window's `before` on; services, endpoints and callers are told in several ways.
queries AS (
    SELECT
        e.time,
        coalesce(parameter('serviceId'), parameter('service'), CASE WHEN e.entity_type = 'api-service' THEN e.entity_id END,
            parameter('deploymentId'), 'unknown') AS service,
        coalesce(parameter('endpointId'), parameter('endpoint'), e.function, e.type) AS endpoint,
        coalesce(parameter('version'), parameter('generation'), parameter('serviceGeneration'),
            parameter_at('context.version')) AS version,
        coalesce(parameter_at('context.caller'), e."user", parameter('apiKey')) AS caller,
        e.node,
        coalesce(e.duration_ms, number_of(parameter_at('timing.total')), number_of(parameter('callTime'))) AS duration_ms,
        (is_error() OR coalesce(e.status IN ('failed', 'error'), FALSE)) AS has_failed
    FROM events e
    WHERE e.topic = 'apinode-query' AND e.type <> 'ground-truth' AND e.time >= $before AND e.time < $until AND chosen()
)
