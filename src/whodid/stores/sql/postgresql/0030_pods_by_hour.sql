-- What pods held until the next census lies by the hour, of hours that no census changes any more but a late one: since
-- `pods_closed` it is told of the censuses.
CREATE TABLE whodid.pods_closed (until timestamp NOT NULL);
INSERT INTO whodid.pods_closed VALUES ('-infinity');

CREATE VIEW whodid.told_pod_hours AS
SELECT
    date_trunc('hour', e.time) AS hour, e.cluster, e.is_census, e.namespace, e.pod, e.annotated_project,
    e.labelled_project, e.execution, e.login,
    CASE WHEN e.is_census THEN g.gap_s ELSE 0 END AS measured_s,
    coalesce(e.memory_mb, 0) * g.gap_s / 3686400 AS memory_gb_h,
    coalesce(e.cpu_millis, 0) * g.gap_s / 3600000 AS cpu_h,
    CASE WHEN coalesce(e.phase, '') NOT IN ('Succeeded', 'Failed')
        THEN greatest(0, coalesce(e.memory_request_mb, 0)) * g.gap_s / 3686400 ELSE 0 END AS memory_request_gb_h,
    CASE WHEN coalesce(e.phase, '') NOT IN ('Succeeded', 'Failed')
        THEN greatest(0, coalesce(e.cpu_request_millis, 0)) * g.gap_s / 3600000 ELSE 0 END AS cpu_request_h
FROM (
    SELECT id, date_part('epoch', lead(time) OVER (PARTITION BY cluster ORDER BY time, id) - time) AS gap_s
    FROM whodid.kept_pod_events
    WHERE is_census AND time >= (SELECT until FROM whodid.pods_closed)
) g
JOIN whodid.kept_pod_events e ON e.id = g.id
WHERE g.gap_s <= 900 AND e.time >= (SELECT until FROM whodid.pods_closed);

CREATE TABLE whodid.kept_pod_hours AS
SELECT
    hour, cluster, is_census, namespace, pod, annotated_project, labelled_project, execution, login,
    sum(measured_s) AS measured_s, sum(memory_gb_h) AS memory_gb_h, sum(cpu_h) AS cpu_h,
    sum(memory_request_gb_h) AS memory_request_gb_h, sum(cpu_request_h) AS cpu_request_h
FROM whodid.told_pod_hours
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
HAVING hour < (SELECT date_trunc('hour', max(time) - INTERVAL '15 minutes') FROM whodid.kept_pod_events)
ORDER BY 1;
CREATE INDEX kept_pod_hours_hour ON whodid.kept_pod_hours USING brin (hour) WITH (pages_per_range = 16);
UPDATE whodid.pods_closed SET until = coalesce(
    (SELECT date_trunc('hour', max(time) - INTERVAL '15 minutes') FROM whodid.kept_pod_events), until
);
ANALYZE whodid.kept_pod_hours;

CREATE VIEW whodid.pod_hours AS
SELECT
    hour, cluster, is_census, namespace, pod, annotated_project, labelled_project, execution, login, measured_s,
    memory_gb_h, cpu_h, memory_request_gb_h, cpu_request_h
FROM whodid.kept_pod_hours
UNION ALL
SELECT
    hour, cluster, is_census, namespace, pod, annotated_project, labelled_project, execution, login, measured_s,
    memory_gb_h, cpu_h, memory_request_gb_h, cpu_request_h
FROM whodid.told_pod_hours;

-- Other censuses change what those before them count for: hours from there on are told of the censuses again.
CREATE FUNCTION whodid.reopen_pods() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $reopen$
DECLARE
    since timestamp;
BEGIN
    SELECT date_trunc('hour', min(time) - INTERVAL '15 minutes') INTO since FROM changed;
    UPDATE whodid.pods_closed SET until = since WHERE until > since;
    IF FOUND THEN
        DELETE FROM whodid.kept_pod_hours WHERE hour >= since;
    END IF;
    RETURN NULL;
END
$reopen$;
CREATE TRIGGER pods_added AFTER INSERT ON whodid.kept_pod_events
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION whodid.reopen_pods();
CREATE TRIGGER pods_gone AFTER DELETE ON whodid.kept_pod_events
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION whodid.reopen_pods();

CREATE FUNCTION whodid.forget_pods() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $forget$
BEGIN
    TRUNCATE whodid.kept_pod_hours;
    UPDATE whodid.pods_closed SET until = '-infinity';
    RETURN NULL;
END
$forget$;
CREATE TRIGGER pods_emptied AFTER TRUNCATE ON whodid.kept_pod_events
FOR EACH STATEMENT EXECUTE FUNCTION whodid.forget_pods();

-- Keeps by the hour what pods held in hours that are over, unless another transaction adds censuses just now.
CREATE FUNCTION whodid.close_pods() RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET work_mem = '64MB' AS $close$
DECLARE
    last timestamp;
BEGIN
    SELECT date_trunc('hour', max(time) - INTERVAL '15 minutes') INTO last FROM whodid.kept_pod_events;
    IF last IS NULL OR last <= (SELECT until FROM whodid.pods_closed) THEN
        RETURN;
    END IF;
    BEGIN
        LOCK TABLE whodid.kept_pod_events IN SHARE ROW EXCLUSIVE MODE NOWAIT;
    EXCEPTION WHEN lock_not_available THEN
        RETURN;
    END;
    INSERT INTO whodid.kept_pod_hours (
        hour, cluster, is_census, namespace, pod, annotated_project, labelled_project, execution, login, measured_s,
        memory_gb_h, cpu_h, memory_request_gb_h, cpu_request_h
    )
    SELECT
        hour, cluster, is_census, namespace, pod, annotated_project, labelled_project, execution, login,
        sum(measured_s), sum(memory_gb_h), sum(cpu_h), sum(memory_request_gb_h), sum(cpu_request_h)
    FROM whodid.told_pod_hours
    WHERE hour < last
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
    ORDER BY 1;
    UPDATE whodid.pods_closed SET until = last;
END
$close$;

-- Few censuses are left whose gaps are measured.
DROP INDEX whodid.kept_pod_events_census;

DO $do$
DECLARE
    merge text := pg_get_functiondef('whodid.merge_hours(int)'::regprocedure);
    nothing_waits text := $sql$PERFORM whodid.settle_days('{}');$sql$;
    all_is_counted text := 'DROP TABLE counted_events;';
BEGIN
    ASSERT position(nothing_waits IN merge) > 0 AND position(all_is_counted IN merge) > 0;
    EXECUTE replace(
        replace(merge, nothing_waits, nothing_waits || E'\n        PERFORM whodid.close_pods();'),
        all_is_counted, all_is_counted || E'\n    PERFORM whodid.close_pods();'
    );
END
$do$;
