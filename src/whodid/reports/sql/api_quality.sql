-- family: api
-- title: Predictions against what happened
-- question: How right were the predictions, where what really happened is known?
-- parameter: since time = 90d | from when on: time of the query; its outcome became known later, whenever that was
-- parameter: until time = now | until when
-- parameter: service text =  | only this service
-- parameter: sample integer = 2000 | queries of each endpoint and version that are looked at, by chance but always the same
-- parameter: limit integer = 100 | rows at most
-- column: service text | the service
-- column: endpoint text | the endpoint
-- column: version text | the version that answered
-- column: kind text | classification, or regression for measured numbers
-- column: pairs integer queries | predictions whose outcome is known, of those that are looked at
-- column: known_percent number % | of the queries that are looked at
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
    WHERE e.topic = 'apinode-query' AND e.type = 'ground-truth' AND e.time >= $since
        AND ($service = '' OR parameter('serviceId') = $service)
), known AS MATERIALIZED (
    SELECT service, outcome_key, outcome, match FROM truth WHERE age = 1
), counted AS MATERIALIZED (
    SELECT e.service, e.endpoint, coalesce(e.told_version, '') AS version, count(*) AS queries
    FROM query_events e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.service IN (SELECT service FROM known)
    GROUP BY 1, 2, 3
), likely AS (
    -- What no version needs, not even the one with the fewest queries, is left out while it is read.
    SELECT
        e.id, e.time, e.service, e.endpoint, coalesce(e.told_version, '') AS version, e.request_id, e.chance
    FROM query_events e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.service IN (SELECT service FROM known)
        AND e.chance < (SELECT (3 * $sample + 100) / CAST(min(queries) AS double precision) FROM counted)
), placed AS (
    -- Three times as many as are wanted are put in order.
    SELECT
        a.id, a.time, a.service, a.endpoint, a.version, a.request_id,
        row_number() OVER (PARTITION BY a.service, a.endpoint, a.version ORDER BY a.chance, a.id) AS place
    FROM likely a
    JOIN counted c ON c.service = a.service AND c.endpoint = a.endpoint AND c.version = a.version
    WHERE a.chance * c.queries < 3 * $sample + 100
), told AS (
    SELECT
        p.id, p.service, p.endpoint, p.version, p.request_id,
        texts_of(
            e."parameters", '/features', '/input', '/inputs', '/record', '/records', '/params', '/query', '/result',
            '/results', '/output', '/outputs', '/response', '/prediction', '/predictions', '/context'
        ) AS t
    FROM placed p
    JOIN events e ON e.id = p.id AND e.time = p.time
    WHERE p.place <= $sample AND e.topic = 'apinode-query' AND e.time >= $since AND e.time < $until AND seen()
)
SELECT
    'truth' AS kind, service, NULL AS endpoint, NULL AS version, outcome_key AS id, match AS request_id,
    outcome AS features, NULL AS result, NULL AS context
FROM known
UNION ALL
SELECT
    'query', service, endpoint, version, CAST(id AS varchar), request_id,
    coalesce(t[1], t[2], t[3], t[4], t[5], t[6], t[7]), coalesce(t[8], t[9], t[10], t[11], t[12], t[13], t[14]), t[15]
FROM told
