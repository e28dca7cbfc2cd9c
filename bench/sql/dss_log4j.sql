-- Lines of a DSS audit.log (envelope A): $events of them over $days days before $end, in time order.
COPY (
    WITH drawn AS (
        SELECT
            i,
            make_timestamp((epoch_ms(TIMESTAMP '{end}') - CAST({days} * 86400000.0 * (1 - i / {events}.0) AS BIGINT)) * 1000) AS moment,
            random() AS a, random() AS b, random() AS c
        FROM range(CAST({events} AS BIGINT)) AS t (i)
    )
    SELECT
        'INFO' AS severity,
        'dku.audit.generic' AS logger,
        struct_pack(
            msgType := (['dataset-read-data-sample', 'flow-job-start', 'flow-job-done', 'scenario-run', 'application-open',
                         'dataset-read-data', 'flow-object-build-success', 'dataset-export'])[1 + CAST(floor(8 * a * a) AS INTEGER)],
            authUser := format('user{{:04d}}', CAST(floor(500 * b * b) AS BIGINT)),
            authSource := CASE WHEN c < 0.7 THEN 'USER_FROM_UI' ELSE 'PERSONAL_API_KEY' END,
            projectKey := format('PROJECT_{{}}', CAST(floor(2000 * b * c) AS BIGINT) % 80),
            datasetName := format('dataset_{{}}', CAST(floor(2000 * b * c) AS BIGINT)),
            clientIP := format('10.0.{{}}.{{}}', CAST(floor(8 * b) AS BIGINT), CAST(floor(250 * c) AS BIGINT)),
            callPath := '/dip/api/datasets/get-sample',
            rows := CAST(floor(10000 * c) AS BIGINT),
            auditTopic := 'generic'
        ) AS message,
        struct_pack(
            apiCall := '/dip/api/datasets/get-sample',
            "user" := format('user{{:04d}}', CAST(floor(500 * b * b) AS BIGINT))
        ) AS mdc,
        CAST(floor(400 * c) AS BIGINT) AS callTime,
        strftime(moment, '%Y-%m-%dT%H:%M:%S.%g') || '+0100' AS timestamp
    FROM drawn
    ORDER BY i
) TO '{path}' (FORMAT json, ARRAY false)
