-- Queries of API nodes with what they were asked and what they answered, under whichever names these are told.
api_answers AS (
    SELECT
        e.id,
        e.time,
        coalesce(parameter('serviceId'), parameter('service'), CASE WHEN e.entity_type = 'api-service' THEN e.entity_id END,
            parameter('deploymentId'), 'unknown') AS service,
        coalesce(parameter('endpointId'), parameter('endpoint'), e.function, e.type) AS endpoint,
        e.request_id,
        coalesce(parameter('features'), parameter('input'), parameter('inputs'), parameter('record'), parameter('records'),
            parameter('params'), parameter('query')) AS features,
        coalesce(parameter('result'), parameter('results'), parameter('output'), parameter('outputs'),
            parameter('response'), parameter('prediction'), parameter('predictions')) AS result,
        parameter('context') AS context
    FROM events e
    WHERE e.topic = 'apinode-query' AND e.type <> 'ground-truth' AND e.time < $until
        AND (e.time >= $since OR (e.time >= $reference_since AND e.time < $reference_until)) AND chosen()
), sampled AS (
    SELECT
        *,
        time >= $since AS is_current,
        row_number() OVER (
            PARTITION BY service, endpoint, time >= $since ORDER BY md5(CAST(id AS varchar))
        ) AS place,
        count(*) OVER (PARTITION BY service, endpoint, time >= $since) AS queries
    FROM api_answers
)
