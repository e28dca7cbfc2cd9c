-- family: api
-- title: Predictions against what happened
-- question: How right were the predictions, where what really happened is known?
-- parameter: since time = 90d | from when on: time of the query, whenever its outcome became known
-- parameter: until time = now | until when
-- parameter: service text =  | only this service
-- parameter: limit integer = 100 | rows at most
-- column: service text | the service
-- column: endpoint text | the endpoint
-- column: version text | the version that answered
-- column: kind text | classification, or regression for measured numbers
-- column: pairs integer queries | predictions whose outcome is known
-- column: known_percent number % | of the queries
-- column: accuracy number share | right of all; of classes
-- column: balanced_accuracy number share | right of each class, averaged
-- column: auc number share | area under the ROC curve, where there are two classes and a score
-- column: positive text | the class that AUC is about: the one that high scores were predicted with
-- column: mean_absolute_error number value | of numbers
-- column: root_mean_square_error number value | of numbers
-- column: r2 number share | of the spread that the predictions explain
-- column: bias number value | how much too high predictions are on average
-- column: prediction text | the part of the answer that was taken as prediction
-- column: outcomes json | how many of each outcome were predicted as what
-- chart: bar x=pairs y=service
-- step: whodid.analysis.api_report:quality
WITH truth AS (
    SELECT
        parameter('serviceId') AS service,
        parameter('key') AS outcome_key,
        parameter('outcome') AS outcome,
        coalesce(parameter('match'), 'request_id') AS match,
        row_number() OVER (
            PARTITION BY parameter('serviceId'), parameter('match'), parameter('key') ORDER BY e.time DESC, e.id
        ) AS age
    FROM events e
    WHERE e.topic = 'apinode-query' AND e.type = 'ground-truth' AND ($service = '' OR parameter('serviceId') = $service)
), asked AS (
    SELECT
        e.id,
        e.time,
        coalesce(parameter('serviceId'), parameter('service'), CASE WHEN e.entity_type = 'api-service' THEN e.entity_id END,
            parameter('deploymentId'), 'unknown') AS service,
        coalesce(parameter('endpointId'), parameter('endpoint'), e.function, e.type) AS endpoint,
        coalesce(parameter('version'), parameter('generation'), parameter('serviceGeneration')) AS version,
        e.request_id,
        coalesce(parameter('features'), parameter('input'), parameter('inputs'), parameter('record'), parameter('records'),
            parameter('params'), parameter('query')) AS features,
        coalesce(parameter('result'), parameter('results'), parameter('output'), parameter('outputs'),
            parameter('response'), parameter('prediction'), parameter('predictions')) AS result,
        parameter('context') AS context
    FROM events e
    WHERE e.topic = 'apinode-query' AND e.type <> 'ground-truth' AND e.time >= $since AND e.time < $until AND chosen()
), answered AS (
    SELECT * FROM asked WHERE service IN (SELECT service FROM truth) ORDER BY time DESC, id LIMIT 300000
)
SELECT
    'truth' AS kind, service, NULL AS endpoint, NULL AS version, outcome_key AS id, match AS request_id,
    outcome AS features, NULL AS result, NULL AS context
FROM truth
WHERE age = 1
UNION ALL
SELECT
    'query', service, endpoint, version, CAST(id AS varchar), request_id, features, result, context
FROM answered
