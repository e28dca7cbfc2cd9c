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
WITH outcomes AS MATERIALIZED (
    SELECT e.id, e.time, e.service, e.match, e.outcome_key, e.outcome
    FROM outcome_events e
    WHERE e.time >= $since AND ($service = '' OR e.service = $service)
), latest AS (
    -- The latest one is found without putting all in order.
    SELECT service, match, outcome_key, max(time) AS time
    FROM outcomes
    GROUP BY 1, 2, 3
), known AS MATERIALIZED (
    SELECT service, match, outcome_key, outcome
    FROM (
        SELECT
            o.service, o.match, o.outcome_key, o.outcome,
            row_number() OVER (PARTITION BY o.service, o.match, o.outcome_key ORDER BY o.id) AS place
        FROM outcomes o
        JOIN latest l
            ON l.service = o.service AND l.match = o.match AND l.outcome_key = o.outcome_key AND l.time = o.time
    ) of_a_time
    WHERE place = 1
), services AS MATERIALIZED (
    SELECT DISTINCT service FROM known
), counted AS MATERIALIZED (
    SELECT e.service, e.endpoint, coalesce(e.told_version, '') AS version, sum(e.events) AS queries
    FROM version_hours e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.service IN (SELECT service FROM services)
    GROUP BY 1, 2, 3
), bound AS MATERIALIZED (
    -- What no version needs, not even the one with the fewest queries, is left out while it is read.
    SELECT (1.5 * $sample + 100) / CAST(min(queries) AS double precision) AS chance FROM counted
), likely AS (
    -- Those of less chance are found by an index; the others are read where they are needed.
    SELECT e.id, e.time, e.service, e.endpoint, coalesce(e.told_version, '') AS version, e.chance
    FROM query_events e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.service IN (SELECT service FROM services)
        AND e.chance < 0.125 AND e.chance < (SELECT chance FROM bound)
    UNION ALL
    SELECT e.id, e.time, e.service, e.endpoint, coalesce(e.told_version, ''), e.chance
    FROM bound b
    CROSS JOIN query_events e
    WHERE b.chance > 0.125 AND e.chance >= 0.125 AND e.chance < b.chance
        AND e.time >= $since AND e.time < $until AND chosen() AND e.service IN (SELECT service FROM services)
), placed AS (
    -- Half as many more than are wanted, and a hundred, are put in order: chance is even enough for that.
    SELECT
        a.id, a.time, a.service, a.endpoint, a.version, a.chance,
        row_number() OVER (PARTITION BY a.service, a.endpoint, a.version ORDER BY a.chance, a.id) AS place
    FROM likely a
    JOIN counted c ON c.service = a.service AND c.endpoint = a.endpoint AND c.version = a.version
    WHERE a.chance * c.queries < 1.5 * $sample + 100
), sampled AS MATERIALIZED (
    SELECT id, time, service, endpoint, version, chance FROM placed WHERE place <= $sample
), answered AS (
    SELECT s.id, s.service, s.endpoint, s.version, e.request_id, e."parameters"
    FROM sampled s
    JOIN answer_events e ON e.id = s.id AND e.time = s.time
    WHERE s.chance < 0.125 AND e.time >= $since AND e.time < $until
    UNION ALL
    SELECT s.id, s.service, s.endpoint, s.version, e.request_id, e."parameters"
    FROM sampled s
    JOIN events e ON e.id = s.id AND e.time = s.time
    WHERE s.chance >= 0.125 AND e.topic = 'apinode-query' AND e.time >= $since AND e.time < $until AND seen()
), told AS (
    SELECT
        id, service, endpoint, version, request_id,
        texts_of(
            "parameters", '/features', '/input', '/inputs', '/record', '/records', '/params', '/query', '/result',
            '/results', '/output', '/outputs', '/response', '/prediction', '/predictions', '/context'
        ) AS t
    FROM answered
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
