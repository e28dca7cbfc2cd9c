-- What became known of what API nodes predicted, and by which of a query's fields it is found.
SELECT
    e.id, e.time, e.level, parameter('serviceId') AS service, parameter('key') AS outcome_key,
    parameter('outcome') AS outcome, coalesce(parameter('match'), 'request_id') AS match
FROM events e
WHERE e.topic = 'apinode-query' AND e.type = 'ground-truth'
