-- Counting what waits: `told_…` becomes `kept_…`; days made of hours; and which events wait.

-- name: own_range
-- $own_rows is where the row ids of the transaction's own rows begin.
SELECT receiver, min(seq) FROM events WHERE rowid >= $own_rows GROUP BY receiver

-- name: known
SELECT receiver, seq FROM counted ORDER BY receiver

-- name: learn
INSERT INTO counted VALUES ($receiver, -1)

-- name: forget
UPDATE counted SET seq = -1

-- name: waiting
SELECT count(*) FROM uncounted_events

-- name: sum_hours
INSERT INTO kept_{relation} BY NAME
SELECT
    * EXCLUDE (events, uses, runs, errors, failed, row_count, first, last),
    sum(events) AS events, sum(uses) AS uses, sum(runs) AS runs, sum(errors) AS errors, sum(failed) AS failed,
    sum(row_count) AS row_count, min(first) AS first, max(last) AS last
FROM {told}
GROUP BY ALL
ORDER BY {order}

-- name: sum_users
-- Out of the things that this transaction has counted: they are fewer than the events.
INSERT INTO kept_{relation} BY NAME
SELECT
    hour, "user", acting_for, person, who, sum(events) AS events, sum(uses) AS uses, sum(runs) AS runs,
    sum(errors) AS errors, sum(failed) AS failed, sum(row_count) AS row_count, min(first) AS first, max(last) AS last
FROM kept_thing_hours
WHERE rowid >= {own_rows}
GROUP BY ALL
ORDER BY {order}

-- name: sum_things
-- A thing is called what it was called in one of the events. Where hardly any rows would be one, neither those of the
-- events of an hour nor those of the hours of a day, `day` says that a row is also the one by the day.
INSERT INTO kept_{relation} BY NAME
WITH summed AS MATERIALIZED (
    SELECT
        * EXCLUDE (entity_name, events, uses, runs, errors, failed, row_count, first, last),
        max(entity_name) AS entity_name, sum(events) AS events, sum(uses) AS uses, sum(runs) AS runs,
        sum(errors) AS errors, sum(failed) AS failed, sum(row_count) AS row_count, min(first) AS first,
        max(last) AS last
    FROM {told}
    GROUP BY ALL
), days AS (
    SELECT date_trunc('day', hour) AS day
    FROM summed
    GROUP BY ALL
    HAVING count(*) > 0.5 * sum(events) AND 0.8 * count(*) < approx_count_distinct(hash(
        "user", acting_for, type, level, topic, function, project, node, node_type, has_via, by_hand, package, version,
        verb, entity_type, entity_id
    ))
)
SELECT summed.*, days.day
FROM summed LEFT JOIN days ON days.day = date_trunc('day', summed.hour)
ORDER BY {order}

-- name: distinct_hours
INSERT INTO kept_{relation} SELECT DISTINCT * FROM {told} ORDER BY {order}

-- name: most_hours
-- Out of the events that this transaction has kept.
INSERT INTO kept_{relation} BY NAME
SELECT
    date_trunc('hour', time) AS hour,
    * EXCLUDE (
        id, time, type, topic, entity_type, entity_id, memory_mb_s, cpu_ms, sql_ms, llm_queries, prompt_tokens,
        completion_tokens, llm_cost_usd, cache_hits, running_ms
    ),
    max(memory_mb_s) AS memory_mb_s, max(cpu_ms) AS cpu_ms, max(sql_ms) AS sql_ms, max(llm_queries) AS llm_queries,
    max(prompt_tokens) AS prompt_tokens, max(completion_tokens) AS completion_tokens,
    max(llm_cost_usd) AS llm_cost_usd, max(cache_hits) AS cache_hits, max(running_ms) AS running_ms,
    min(time) AS first, max(time) AS last
FROM kept_usage_events
WHERE rowid >= {own_rows}
GROUP BY ALL
ORDER BY {order}

-- name: drop_days
DELETE FROM kept_{relation} WHERE day >= $since AND day < $until

-- name: sum_days
INSERT INTO kept_{relation} BY NAME
SELECT
    date_trunc('day', hour) AS day,
    * EXCLUDE ({left_out}hour, events, uses, runs, errors, failed, row_count, first, last),
    sum(events) AS events, sum(uses) AS uses, sum(runs) AS runs, sum(errors) AS errors, sum(failed) AS failed,
    sum(row_count) AS row_count, min(first) AS first, max(last) AS last
FROM {told}
WHERE {among}
GROUP BY ALL
ORDER BY {order}

-- name: sum_days_of_things
INSERT INTO kept_{relation} BY NAME
SELECT
    date_trunc('day', hour) AS day,
    * EXCLUDE (hour, day, entity_name, events, uses, runs, errors, failed, row_count, first, last),
    max(entity_name) AS entity_name, sum(events) AS events, sum(uses) AS uses, sum(runs) AS runs,
    sum(errors) AS errors, sum(failed) AS failed, sum(row_count) AS row_count, min(first) AS first, max(last) AS last
FROM {told}
WHERE ({among}) AND day IS NULL
GROUP BY ALL
ORDER BY {order}

-- name: distinct_days
INSERT INTO kept_{relation} BY NAME
SELECT DISTINCT date_trunc('day', hour) AS day, session, "user", acting_for, person, who
FROM {told}
WHERE {among}
ORDER BY {order}

-- name: most_days
INSERT INTO kept_{relation} BY NAME
SELECT
    date_trunc('day', hour) AS day,
    * EXCLUDE (
        hour, memory_mb_s, cpu_ms, sql_ms, llm_queries, prompt_tokens, completion_tokens, llm_cost_usd, cache_hits,
        running_ms, first, last
    ),
    max(memory_mb_s) AS memory_mb_s, max(cpu_ms) AS cpu_ms, max(sql_ms) AS sql_ms, max(llm_queries) AS llm_queries,
    max(prompt_tokens) AS prompt_tokens, max(completion_tokens) AS completion_tokens,
    max(llm_cost_usd) AS llm_cost_usd, max(cache_hits) AS cache_hits, max(running_ms) AS running_ms,
    min(first) AS first, max(last) AS last
FROM {told}
WHERE {among}
GROUP BY ALL
ORDER BY {order}

-- name: events
INSERT INTO kept_{relation} FROM {told} ORDER BY {order}

-- name: first_census
-- Of those that this transaction has kept.
SELECT date_trunc('hour', min(time) - INTERVAL 15 MINUTE) FROM kept_pod_events WHERE rowid >= $own_rows

-- name: reopen_pods
UPDATE pods_closed SET until = $since WHERE until > $since

-- name: drop_pods
DELETE FROM kept_pod_hours WHERE hour >= (SELECT until FROM pods_closed)

-- name: last_census
-- The hour that may still change: the next census may be so long in coming.
SELECT date_trunc('hour', max(time) - INTERVAL 15 MINUTE)
FROM kept_pod_events
HAVING date_trunc('hour', max(time) - INTERVAL 15 MINUTE) > (SELECT until FROM pods_closed)

-- name: close_pods
INSERT INTO kept_pod_hours BY NAME
SELECT
    * EXCLUDE (measured_s, memory_gb_h, cpu_h, memory_request_gb_h, cpu_request_h),
    sum(measured_s) AS measured_s, sum(memory_gb_h) AS memory_gb_h, sum(cpu_h) AS cpu_h,
    sum(memory_request_gb_h) AS memory_request_gb_h, sum(cpu_request_h) AS cpu_request_h
FROM told_pod_hours
WHERE hour < $until
GROUP BY ALL
ORDER BY hour

-- name: closed_pods
UPDATE pods_closed SET until = $until

-- name: counted_up_to
SELECT receiver, max(seq) FROM uncounted_events GROUP BY receiver

-- name: advance
UPDATE counted SET seq = $seq WHERE receiver = $receiver

-- name: has_days
FROM kept_{hours} WHERE day IS NOT NULL LIMIT 1

-- name: days_view
CREATE OR REPLACE VIEW counted_{relation} AS FROM kept_{relation}

-- name: days_of_hours
UNION ALL BY NAME SELECT * EXCLUDE (hour) FROM kept_{hours} WHERE day IS NOT NULL

-- name: event_days_view
CREATE OR REPLACE VIEW counted_event_days AS
SELECT
    day, "user", acting_for, person, who, type, level, topic, function, project, events, uses, runs, errors, failed,
    row_count, first, last
FROM {thing_days}

-- name: entity_days_view
CREATE OR REPLACE VIEW counted_entity_days AS FROM {thing_days} UNION ALL FROM {touched_days}

-- name: uncounted_view
-- Constants instead of a join, so that the engine skips what was counted: one branch for each receiver.
CREATE OR REPLACE VIEW uncounted_events AS
{branches}

-- name: branch
SELECT *, coalesce(acting_for, "user") AS person, who_of(coalesce(acting_for, "user")) AS who
FROM events WHERE {condition}
