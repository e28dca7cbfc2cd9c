-- Native events as JSON lines: $events of them over $days days before $end, in time order, with skewed users,
-- entities and functions, 1 % errors in 200 groups, 8 % programs. Run once per file; `seed` makes it repeatable.
COPY (
    WITH drawn AS (
        SELECT
            i,
            epoch_ms(TIMESTAMP '{end}') - CAST({days} * 86400000.0 * (1 - i / {events}.0) AS BIGINT) AS ms,
            random() AS a, random() AS b, random() AS c, random() AS d, random() AS e,
            CAST(random() * 4095 AS BIGINT) AS r1,
            CAST(32768 + random() * 16383 AS BIGINT) AS r2,
            CAST(random() * 281474976710655 AS BIGINT) AS r3
        FROM range(CAST({events} AS BIGINT)) AS t (i)
    ),
    chosen AS (
        SELECT
            *,
            CAST(floor(500 * a * a) AS BIGINT) AS user_number,
            CAST(floor(20000 * b * b * b) AS BIGINT) AS entity,
            CAST(floor(300 * c * c) AS BIGINT) AS function_number,
            d < 0.01 AS failed
        FROM drawn
    )
    SELECT
        format('{{:08x}}-{{:04x}}-7{{:03x}}-{{:04x}}-{{:012x}}', ms >> 16, ms & 65535, r1, r2, r3) AS id,
        strftime(make_timestamp(ms * 1000), '%Y-%m-%dT%H:%M:%S.%g') || 'Z' AS time,
        CASE
            WHEN failed THEN 'error'
            ELSE (['query-start', 'script-start', 'project-opened', 'main-menu-item-click', 'notebook-start',
                   'dialog-ok', 'table-produced', 'query-edited', 'entity-shared', 'viewer-rendered'])[1 + CAST(floor(10 * e * e) AS INTEGER)]
        END AS type,
        CASE WHEN failed THEN 'error' WHEN e > 0.8 THEN 'usage' ELSE 'audit' END AS level,
        format('5e55{{:04x}}-0000-4000-8000-{{:012x}}', user_number, i // 37500) AS session,
        format('user{{:04d}}', user_number) AS user,
        [struct_pack(
            role := 'query', type := 'query',
            id := format('000e0000-0000-4000-8000-{{:012x}}', entity), name := 'Query ' || entity
        )] AS entities,
        '@user ran @query' AS description,
        format('Team{{}}:function{{}}', function_number % 20, function_number) AS function,
        round(exp(5 + 1.2 * (a + b + c + d + e - 2.5) * 1.5), 2) AS duration_ms,
        CASE WHEN failed THEN 'failed' ELSE 'ok' END AS status,
        CASE WHEN failed THEN 'Column ' || (function_number % 200) || ' is missing' END AS error_message,
        CASE WHEN failed THEN format('e0e0e0e0-0000-5000-8000-{{:012x}}', function_number % 200) END AS error_hash,
        struct_pack(
            rows := CAST(floor(100000 * a * b) AS BIGINT), columns := CAST(floor(60 * c) AS BIGINT),
            project := format('PROJECT_{{}}', entity % 80), filter := format('value > {{:.4f}}', e), cached := b < 0.3
        ) AS parameters
    FROM chosen
    ORDER BY i
) TO '{path}' (FORMAT json, ARRAY false)
