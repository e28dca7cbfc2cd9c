-- Counting into the tables of what reports read: of what is added to the events, of what is taken away or changed, and
-- once of the events that are there.
SET LOCAL work_mem = '64MB';

-- Makes some days anew of their hours.
CREATE FUNCTION whodid.make_days(days timestamp[]) RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS
$make$
    DELETE FROM whodid.kept_user_days WHERE day = ANY(days);
    INSERT INTO whodid.kept_user_days (
        day, "user", acting_for, is_program, events, uses, runs, errors, failed, row_count, first, last
    )
    SELECT
        date_trunc('day', hour), "user", acting_for, is_program, sum(events), sum(uses), sum(runs), sum(errors),
        sum(failed), sum(row_count), min(first), max(last)
    FROM whodid.kept_user_hours
    WHERE date_trunc('day', hour) = ANY(days)
    AND hour >= (SELECT min(day) FROM unnest(days) AS d (day))
    AND hour < (SELECT max(day) + INTERVAL '1 day' FROM unnest(days) AS d (day))
    GROUP BY 1, 2, 3, 4
    ORDER BY 1;
    DELETE FROM whodid.kept_session_days WHERE day = ANY(days);
    INSERT INTO whodid.kept_session_days (day, session, "user", acting_for, is_program)
    SELECT DISTINCT date_trunc('day', hour), session, "user", acting_for, is_program
    FROM whodid.kept_session_hours
    WHERE date_trunc('day', hour) = ANY(days)
    AND hour >= (SELECT min(day) FROM unnest(days) AS d (day))
    AND hour < (SELECT max(day) + INTERVAL '1 day' FROM unnest(days) AS d (day))
    ORDER BY 1;
$make$;

-- Each statement is written once: for what a statement adds to the events, for what waits, and for the events that are
-- there. `{events}` is a relation of events, `{waiting}` one of those that wait.
DO $do$
DECLARE
    waiting text := $sql$
        SELECT
            e.event_time AS time, e.session_id AS session, e.duration_ms IS NOT NULL AS has_duration,
            e.source = 'error' OR e.error_message IS NOT NULL AS is_error,
            e.source = 'error' OR e.error_message IS NOT NULL OR coalesce(e.status = 'failed', false) AS has_failed,
            whodid.is_program(coalesce(e.acting_for, e."user")) AS is_program, e.via IS NOT NULL AS has_via,
            e.via IS NULL AND coalesce(
                CASE
                    WHEN e.format LIKE 'dss%' OR e.node_type IN ('design', 'automation')
                    THEN e.parameters ->> 'authSource'
                END,
                'USER_FROM_UI'
            ) = 'USER_FROM_UI' AS by_hand,
            e.type, e.source AS level, e.topic, e."user", e.acting_for, e.function, e.project, e.entity_type,
            e.entity_id, e.entity_name, e.node, e.node_type, e.parameters ->> 'package' AS package,
            CASE WHEN e.parameters ->> 'package' IS NOT NULL THEN e.parameters ->> 'version' END AS version,
            whodid.number_of(e.parameters ->> 'rows') AS row_count
        FROM {events} e
    $sql$;
    count_waiting text := $sql$
        WITH things AS (
            INSERT INTO whodid.kept_thing_hours (
                hour, type, level, topic, verb, "user", acting_for, is_program, function, project, has_via, by_hand,
                entity_type, entity_id, node, node_type, package, version, entity_name, events, uses, runs, errors,
                failed, row_count, first, last
            )
            SELECT
                date_trunc('hour', time), type, level, topic, whodid.verb_of(type, is_error, has_duration), "user",
                acting_for, is_program, function, project, has_via, by_hand, entity_type, entity_id, node, node_type,
                package, version, max(entity_name), count(*),
                count(*) FILTER (WHERE whodid.is_use(level, topic)),
                count(*) FILTER (WHERE has_duration), count(*) FILTER (WHERE is_error),
                count(*) FILTER (WHERE has_failed), sum(row_count), min(time), max(time)
            FROM {waiting} w
            GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18
            ORDER BY 1
            RETURNING *
        )
        INSERT INTO whodid.kept_user_hours (
            hour, "user", acting_for, is_program, events, uses, runs, errors, failed, row_count, first, last
        )
        SELECT
            hour, "user", acting_for, is_program, sum(events), sum(uses), sum(runs), sum(errors), sum(failed),
            sum(row_count), min(first), max(last)
        FROM things
        GROUP BY 1, 2, 3, 4
        ORDER BY 1;

        INSERT INTO whodid.kept_session_hours (hour, session, "user", acting_for, is_program, project)
        SELECT DISTINCT date_trunc('hour', time), session, "user", acting_for, is_program, project
        FROM {waiting} w
        WHERE session IS NOT NULL
        ORDER BY 1;
    $sql$;
    keep_events text := $sql$
    INSERT INTO whodid.kept_error_events (
        time, id, type, level, topic, "user", acting_for, is_program, project, entity_type, entity_id, source, session,
        request_id, error_hash, version, told, has_trace, shape
    )
    SELECT
        *,
        CASE
            WHEN has_trace
            THEN 'trace ' || left(regexp_replace(split_part(coalesce(told, ''), ':', 1), '[0-9]+', '#', 'g'), 60)
            ELSE type || ' ' || left(regexp_replace(coalesce(told, ''), '[0-9]+', '#', 'g'), 300)
        END
    FROM (
        SELECT
            e.event_time, e.id, e.type, e.source AS level, e.topic, e."user", e.acting_for,
            whodid.is_program(coalesce(e.acting_for, e."user")), e.project, e.entity_type, e.entity_id,
            e.origin, e.session_id, e.request_id, e.error_hash, e.parameters ->> 'version',
            coalesce(e.error_message, e.description) AS told, coalesce(e.error_stack_trace, '') <> '' AS has_trace
        FROM {events} e
        WHERE e.source = 'error' OR e.error_message IS NOT NULL
    ) found;

    INSERT INTO whodid.kept_query_events (
        time, id, type, level, topic, "user", acting_for, is_program, project, entity_type, entity_id, request_id,
        service, endpoint, told_version, context_version, caller, node, duration_ms, has_failed
    )
    SELECT
        e.event_time, e.id, e.type, e.source, e.topic, e."user", e.acting_for,
        whodid.is_program(coalesce(e.acting_for, e."user")), e.project, e.entity_type, e.entity_id, e.request_id,
        coalesce(
            e.parameters ->> 'serviceId', e.parameters ->> 'service',
            CASE WHEN e.entity_type = 'api-service' THEN e.entity_id END, e.parameters ->> 'deploymentId', 'unknown'
        ),
        coalesce(e.parameters ->> 'endpointId', e.parameters ->> 'endpoint', e.function, e.type),
        coalesce(
            e.parameters ->> 'version', e.parameters ->> 'generation', e.parameters ->> 'serviceGeneration'
        ),
        e.parameters #>> '{context,version}',
        coalesce(e.parameters #>> '{context,caller}', e."user", e.parameters ->> 'apiKey'),
        e.node,
        coalesce(
            e.duration_ms, whodid.number_of(e.parameters #>> '{timing,total}'),
            whodid.number_of(e.parameters ->> 'callTime')
        ),
        e.source = 'error' OR e.error_message IS NOT NULL OR coalesce(e.status IN ('failed', 'error'), false)
    FROM {events} e
    WHERE e.topic = 'apinode-query' AND e.type <> 'ground-truth';

    INSERT INTO whodid.kept_login_events (
        time, id, type, level, topic, "user", acting_for, is_program, project, entity_type, entity_id, address,
        has_failed, account
    )
    SELECT
        event_time, id, type, level, topic, "user", acting_for, is_program, project, entity_type, entity_id, address,
        has_failed, coalesce(CASE WHEN has_failed THEN login END, acting_for, "user", login)
    FROM (
        SELECT
            e.event_time, e.id, e.type, e.source AS level, e.topic, e."user", e.acting_for,
            whodid.is_program(coalesce(e.acting_for, e."user")) AS is_program, e.project, e.entity_type, e.entity_id,
            e.parameters ->> 'login' AS login,
            coalesce(
                e.parameters ->> 'originalIP', e.parameters ->> 'clientIP', e.parameters ->> 'ip', e.orig_address
            ) AS address,
            e.type IN (
                'login-failure', 'user-login-failed', 'sign-in-failed', 'login-failed', 'impersonation-failed'
            ) AS has_failed
        FROM {events} e
        WHERE e.type IN (
            'login', 'login-success', 'user-logged-in', 'sign-in', 'logged-in', 'user-impersonated', 'login-failure',
            'user-login-failed', 'sign-in-failed', 'login-failed', 'impersonation-failed'
        )
    ) tried;

    INSERT INTO whodid.kept_item_events (
        time, id, type, level, topic, "user", acting_for, is_program, project, entity_type, entity_id, session,
        request_id, item
    )
    SELECT
        e.event_time, e.id, e.type, e.source, e.topic, e."user", e.acting_for,
        whodid.is_program(coalesce(e.acting_for, e."user")), e.project, e.entity_type, e.entity_id, e.session_id,
        e.request_id,
        coalesce(
            CASE
                WHEN e.type IN ('dialog show', 'dialog-show', 'dialog-shown') THEN e.parameters ->> 'dialog'
                WHEN e.type = 'click' THEN e.parameters ->> 'target'
                WHEN e.type = 'command' THEN e.parameters ->> 'command'
                WHEN e.type = 'input' THEN e.parameters ->> 'input'
            END,
            e.parameters ->> 'item', e.parameters ->> 'name'
        )
    FROM {events} e
    WHERE e.type IN (
        'main-menu-item-click', 'menu click', 'menu-click', 'menu-item-click', 'dialog show', 'dialog-show',
        'dialog-shown', 'command', 'input', 'click'
    );

    INSERT INTO whodid.kept_usage_events (
        time, id, type, level, topic, "user", acting_for, is_program, project, entity_type, entity_id,
        usage, usage_kind, context_type, context_project, login, connection_usage, connection, model, execution, thing,
        thing_name, memory_mb_s, cpu_ms, sql_ms, llm_queries, prompt_tokens, completion_tokens, llm_cost_usd,
        cache_hits, running_ms
    )
    SELECT
        event_time, id, type, level, topic, "user", acting_for, is_program, project, entity_type, entity_id,
        usage ->> 'id',
        usage ->> 'type',
        nullif(context ->> 'type', 'UNKNOWN'),
        nullif(context ->> 'projectKey', ''),
        nullif(context ->> 'authIdentifier', ''),
        usage #>> '{sqlQuery,connectionUsageId}',
        coalesce(usage #>> '{sqlQuery,connection}', usage #>> '{sqlConnection,connection}', llm ->> 'connection'),
        llm ->> 'llmId',
        coalesce(usage #>> '{singleK8SJob,executionId}', usage #>> '{sparkK8SJob,executionId}'),
        coalesce(
            entity_type || ':' || entity_id,
            (context ->> 'projectKey') || '.'
            || coalesce(context ->> 'notebookName', context ->> 'webappId', context ->> 'jobId')
        ),
        coalesce(entity_name, context ->> 'notebookName', context ->> 'webappId', context ->> 'jobId'),
        nullif(greatest(
            coalesce(whodid.number_of(process ->> 'vmRSSTotalMBS'), 0),
            coalesce(whodid.number_of(process ->> 'rssMBSeconds'), 0)
        ), 0),
        nullif(coalesce(
            whodid.number_of(process ->> 'cpuTotalMS'),
            coalesce(whodid.number_of(process ->> 'userTimeMS'), 0)
            + coalesce(whodid.number_of(process ->> 'systemTimeMS'), 0)
        ), 0),
        nullif(whodid.number_of(usage #>> '{sqlQuery,statementExecutionTime}'), 0),
        nullif(whodid.number_of(llm ->> 'totalQueries'), 0),
        nullif(whodid.number_of(llm ->> 'totalPromptTokens'), 0),
        nullif(whodid.number_of(llm ->> 'totalCompletionTokens'), 0),
        nullif(whodid.number_of(llm ->> 'estimatedCostUSD'), 0),
        nullif(whodid.number_of(llm ->> 'cacheHitQueries'), 0),
        nullif(greatest(0, coalesce(
            whodid.number_of(usage ->> 'totalTime'),
            CAST(extract(epoch FROM event_time) AS double precision) * 1000
            - whodid.number_of(usage ->> 'startTime'),
            0
        )), 0)
    FROM (
        SELECT
            e.event_time, e.id, e.type, e.source AS level, e.topic, e."user", e.acting_for,
            whodid.is_program(coalesce(e.acting_for, e."user")) AS is_program, e.project, e.entity_type, e.entity_id,
            e.entity_name,
            e.parameters -> 'computeResourceUsage' AS usage,
            e.parameters #> '{computeResourceUsage,context}' AS context,
            e.parameters #> '{computeResourceUsage,localProcess}' AS process,
            e.parameters #> '{computeResourceUsage,llmUsage}' AS llm
        FROM {events} e
        WHERE e.topic = 'compute-resource-usage' AND e.type LIKE 'compute-resource-usage-%'
        AND (e.parameters #>> '{computeResourceUsage,id}') IS NOT NULL
        OFFSET 0
    ) told;

    INSERT INTO whodid.kept_pod_events (
        time, id, type, level, topic, "user", acting_for, is_program, project, entity_type, entity_id, cluster,
        is_census, phase, annotated_project, labelled_project, execution, login, namespace, pod, memory_mb,
        memory_request_mb, cpu_millis, cpu_request_millis
    )
    SELECT
        event_time, id, type, level, topic, "user", acting_for, is_program, project, entity_type, entity_id, cluster,
        pod IS NULL,
        pod ->> 'phase',
        pod #>> '{annotations,dataiku.com/dku-project-key}',
        pod #>> '{labels,dataiku.com/dku-project-key}',
        coalesce(
            pod #>> '{annotations,dataiku.com/dku-execution-id}', pod #>> '{labels,dataiku.com/dku-execution-id}'
        ),
        coalesce(
            pod #>> '{annotations,dataiku.com/dku-exec-submitter}', pod #>> '{labels,dataiku.com/dku-exec-submitter}'
        ),
        pod ->> 'namespace',
        pod ->> 'name',
        whodid.number_of(pod ->> 'memoryMB'),
        whodid.number_of(pod ->> 'memoryRequestMB'),
        coalesce(whodid.number_of(pod ->> 'cpuCurrentMillis'), whodid.number_of(pod ->> 'cpuMillis')),
        whodid.number_of(pod ->> 'cpuRequestMillis')
    FROM (
        SELECT
            e.event_time, e.id, e.type, e.source AS level, e.topic, e."user", e.acting_for,
            whodid.is_program(coalesce(e.acting_for, e."user")) AS is_program, e.project, e.entity_type, e.entity_id,
            coalesce(e.parameters ->> 'clusterId', e.entity_id, '') AS cluster, listed.pod
        FROM {events} e
        CROSS JOIN LATERAL (
            SELECT CAST(NULL AS jsonb) AS pod
            UNION ALL
            SELECT * FROM jsonb_array_elements(
                CASE
                    WHEN jsonb_typeof(e.parameters #> '{podsStatus,pods}') = 'array'
                    THEN e.parameters #> '{podsStatus,pods}'
                END
            )
        ) listed
        WHERE e.topic = 'compute-resource-usage' AND e.type = 'kubernetes-cluster-usage-status'
    ) found;
    $sql$;
    this_day timestamp;
    of_day text;
    begins text := 'LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp';
BEGIN
    -- Days with events, one after the other: any number of events is counted in little memory.
    LOOP
        SELECT date_trunc('day', min(event_time)) INTO this_day FROM public.events
        WHERE event_time >= coalesce(this_day + INTERVAL '1 day', '-infinity');
        EXIT WHEN this_day IS NULL;
        of_day := format(
            '(SELECT * FROM public.events WHERE event_time >= %1$L AND event_time < %1$L::timestamp + INTERVAL ''1 day'')',
            this_day
        );
        EXECUTE replace(keep_events, '{events}', of_day);
        EXECUTE replace(count_waiting, '{waiting}', '(' || replace(waiting, '{events}', of_day) || ')');
    END LOOP;

    EXECUTE 'CREATE FUNCTION whodid.count_added() RETURNS trigger SECURITY DEFINER ' || begins || ' AS $count$ BEGIN '
        || replace('INSERT INTO whodid.waiting_events' || waiting || ';' || keep_events, '{events}', 'added')
        || ' RETURN NULL; END $count$';

    -- Counts the hours anew in which events were taken away or changed, while no writer is at work.
    EXECUTE 'CREATE FUNCTION whodid.count_removed() RETURNS trigger SECURITY DEFINER ' || begins || ' AS $count$ BEGIN '
        || $sql$
        PERFORM pg_advisory_xact_lock(7406002);
        CREATE TEMP TABLE recounted_hours ON COMMIT DROP AS
        SELECT DISTINCT date_trunc('hour', event_time) AS hour FROM removed;
        DELETE FROM whodid.kept_error_events WHERE id IN (SELECT id FROM removed);
        DELETE FROM whodid.kept_query_events WHERE id IN (SELECT id FROM removed);
        DELETE FROM whodid.kept_login_events WHERE id IN (SELECT id FROM removed);
        DELETE FROM whodid.kept_item_events WHERE id IN (SELECT id FROM removed);
        DELETE FROM whodid.kept_usage_events WHERE id IN (SELECT id FROM removed);
        DELETE FROM whodid.kept_pod_events WHERE id IN (SELECT id FROM removed);
        IF TG_OP = 'UPDATE' THEN
            INSERT INTO recounted_hours
            SELECT DISTINCT date_trunc('hour', event_time) FROM added EXCEPT SELECT hour FROM recounted_hours;
        $sql$
        || replace(keep_events, '{events}', 'added')
        || $sql$
        END IF;
        DELETE FROM whodid.kept_thing_hours WHERE hour IN (SELECT hour FROM recounted_hours);
        DELETE FROM whodid.kept_user_hours WHERE hour IN (SELECT hour FROM recounted_hours);
        DELETE FROM whodid.kept_session_hours WHERE hour IN (SELECT hour FROM recounted_hours);
        DELETE FROM whodid.waiting_events WHERE date_trunc('hour', time) IN (SELECT hour FROM recounted_hours);
        INSERT INTO whodid.waiting_events
        $sql$
        || replace(
            waiting, '{events}',
            $sql$(
                SELECT o.* FROM recounted_hours r
                JOIN public.events o ON o.event_time >= r.hour AND o.event_time < r.hour + INTERVAL '1 hour'
            )$sql$
        )
        || $sql$;
        PERFORM whodid.make_days(ARRAY(SELECT DISTINCT date_trunc('day', hour) FROM recounted_hours));
        DROP TABLE recounted_hours;
        RETURN NULL; END $count$
        $sql$;

    -- Counts what waits, once it is more than so many rows.
    EXECUTE 'CREATE FUNCTION whodid.merge_hours(rows_max int) RETURNS void SET work_mem = ''64MB'' ' || begins
        || $sql$ AS $merge$ BEGIN
        IF (SELECT count(*) FROM (SELECT FROM whodid.waiting_events LIMIT rows_max + 1) w) <= rows_max THEN
            RETURN;
        END IF;
        CREATE TEMP TABLE counted_events ON COMMIT DROP AS
        WITH gone AS (DELETE FROM whodid.waiting_events RETURNING *) SELECT * FROM gone;
        $sql$
        || replace(count_waiting, '{waiting}', 'counted_events')
        || $sql$
        PERFORM whodid.make_days(ARRAY(SELECT DISTINCT date_trunc('day', time) FROM counted_events));
        DROP TABLE counted_events;
        END $merge$
        $sql$;
END
$do$;

CREATE FUNCTION whodid.count_emptied() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $count$
BEGIN
    PERFORM pg_advisory_xact_lock(7406002);
    TRUNCATE whodid.waiting_events, whodid.kept_thing_hours, whodid.kept_user_hours, whodid.kept_user_days,
        whodid.kept_session_hours, whodid.kept_session_days, whodid.kept_error_events, whodid.kept_query_events,
        whodid.kept_login_events, whodid.kept_item_events, whodid.kept_usage_events, whodid.kept_pod_events;
    RETURN NULL;
END
$count$;

-- Rows are added in the order of their hours: a summary of a few pages each is enough.
CREATE INDEX kept_thing_hours_hour ON whodid.kept_thing_hours USING brin (hour) WITH (pages_per_range = 16);
CREATE INDEX kept_user_hours_hour ON whodid.kept_user_hours USING brin (hour) WITH (pages_per_range = 16);
CREATE INDEX kept_user_days_day ON whodid.kept_user_days (day);
CREATE INDEX kept_session_hours_hour ON whodid.kept_session_hours USING brin (hour) WITH (pages_per_range = 16);
CREATE INDEX kept_session_days_day ON whodid.kept_session_days (day);
CREATE INDEX kept_error_events_time ON whodid.kept_error_events (time);
CREATE INDEX kept_query_events_time ON whodid.kept_query_events (time);
CREATE INDEX kept_login_events_time ON whodid.kept_login_events (time);
CREATE INDEX kept_item_events_time ON whodid.kept_item_events (time);
CREATE INDEX kept_usage_events_time ON whodid.kept_usage_events (time);
CREATE INDEX kept_pod_events_time ON whodid.kept_pod_events (time);

SELECT whodid.make_days(ARRAY(SELECT DISTINCT date_trunc('day', hour) FROM whodid.kept_user_hours));

CREATE TRIGGER count_added AFTER INSERT ON public.events
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION whodid.count_added();
CREATE TRIGGER count_removed AFTER DELETE ON public.events
REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION whodid.count_removed();
CREATE TRIGGER count_changed AFTER UPDATE ON public.events
REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION whodid.count_removed();
CREATE TRIGGER count_emptied AFTER TRUNCATE ON public.events
FOR EACH STATEMENT EXECUTE FUNCTION whodid.count_emptied();

