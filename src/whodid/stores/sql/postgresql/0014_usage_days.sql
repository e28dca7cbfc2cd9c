-- What was used so far only grows: the most that is said of a use on a day is all that reports read, and a hundredth of
-- the rows. Each statement adds what it says; days are made anew of the events when what waits is counted.
CREATE TABLE whodid.kept_usage_days (
    day timestamp NOT NULL,
    first timestamp NOT NULL,
    last timestamp NOT NULL,
    is_program boolean NOT NULL,
    level text NOT NULL,
    usage text NOT NULL,
    usage_kind text,
    context_type text,
    context_project text,
    login text,
    connection_usage text,
    connection text,
    model text,
    execution text,
    thing text,
    thing_name text,
    memory_mb_s double precision NOT NULL,
    cpu_ms double precision NOT NULL,
    sql_ms double precision NOT NULL,
    llm_queries double precision NOT NULL,
    prompt_tokens double precision NOT NULL,
    completion_tokens double precision NOT NULL,
    llm_cost_usd double precision NOT NULL,
    cache_hits double precision NOT NULL,
    running_ms double precision NOT NULL,
    "user" text,
    acting_for text,
    project text
);
CREATE INDEX kept_usage_days_day ON whodid.kept_usage_days (day);
CREATE INDEX kept_usage_events_hour ON whodid.kept_usage_events (date_trunc('hour', time));

CREATE FUNCTION whodid.count_usage() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $count$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        TRUNCATE whodid.kept_usage_days;
        RETURN NULL;
    END IF;
    INSERT INTO whodid.kept_usage_days (
        day, level, "user", acting_for, is_program, project, usage, usage_kind, context_type, context_project, login,
        connection_usage, connection, model, execution, thing, thing_name, memory_mb_s, cpu_ms, sql_ms, llm_queries,
        prompt_tokens, completion_tokens, llm_cost_usd, cache_hits, running_ms, first, last
    )
    SELECT
        date_trunc('day', time),
        level, "user", acting_for, is_program, project, usage, usage_kind, context_type, context_project, login,
        connection_usage, connection, model, execution, thing, thing_name,
        max(coalesce(memory_mb_s, 0)), max(coalesce(cpu_ms, 0)), max(coalesce(sql_ms, 0)), max(coalesce(llm_queries,
        0)), max(coalesce(prompt_tokens, 0)), max(coalesce(completion_tokens, 0)), max(coalesce(llm_cost_usd, 0)),
        max(coalesce(cache_hits, 0)), max(coalesce(running_ms, 0)),
        min(time), max(time)
    FROM added
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17;
    RETURN NULL;
END
$count$;
CREATE TRIGGER count_usage AFTER INSERT ON whodid.kept_usage_events
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION whodid.count_usage();
CREATE TRIGGER count_emptied AFTER TRUNCATE ON whodid.kept_usage_events
FOR EACH STATEMENT EXECUTE FUNCTION whodid.count_usage();

CREATE FUNCTION whodid.make_usage_days(days timestamp[]) RETURNS void LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $make$
    DELETE FROM whodid.kept_usage_days WHERE day = ANY(days);
    INSERT INTO whodid.kept_usage_days (
        day, level, "user", acting_for, is_program, project, usage, usage_kind, context_type, context_project, login,
        connection_usage, connection, model, execution, thing, thing_name, memory_mb_s, cpu_ms, sql_ms, llm_queries,
        prompt_tokens, completion_tokens, llm_cost_usd, cache_hits, running_ms, first, last
    )
    SELECT
        d.day,
        level, "user", acting_for, is_program, project, usage, usage_kind, context_type, context_project, login,
        connection_usage, connection, model, execution, thing, thing_name,
        max(coalesce(memory_mb_s, 0)), max(coalesce(cpu_ms, 0)), max(coalesce(sql_ms, 0)), max(coalesce(llm_queries,
        0)), max(coalesce(prompt_tokens, 0)), max(coalesce(completion_tokens, 0)), max(coalesce(llm_cost_usd, 0)),
        max(coalesce(cache_hits, 0)), max(coalesce(running_ms, 0)),
        min(time), max(time)
    FROM unnest(days) AS d (day)
    JOIN whodid.kept_usage_events u ON u.time >= d.day AND u.time < d.day + INTERVAL '1 day'
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17;
$make$;

ALTER FUNCTION whodid.make_days(timestamp[]) RENAME TO make_people_days;
CREATE FUNCTION whodid.make_days(days timestamp[]) RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS
$make$
    SELECT whodid.make_people_days(days);
    SELECT whodid.make_usage_days(days);
$make$;

SELECT whodid.make_usage_days(ARRAY(SELECT DISTINCT date_trunc('day', time) FROM whodid.kept_usage_events));

CREATE VIEW whodid.usage_hours AS
SELECT
    date_trunc('hour', time) AS hour, level, "user", acting_for, coalesce(acting_for, "user") AS person,
    CASE WHEN NOT is_program THEN coalesce(acting_for, "user") END AS who, project,
    usage, usage_kind, context_type, context_project, login, connection_usage, connection, model, execution, thing,
    thing_name,
    coalesce(memory_mb_s, 0) AS memory_mb_s, coalesce(cpu_ms, 0) AS cpu_ms, coalesce(sql_ms, 0) AS sql_ms,
    coalesce(llm_queries, 0) AS llm_queries, coalesce(prompt_tokens, 0) AS prompt_tokens, coalesce(completion_tokens, 0)
    AS completion_tokens, coalesce(llm_cost_usd, 0) AS llm_cost_usd, coalesce(cache_hits, 0) AS cache_hits,
    coalesce(running_ms, 0) AS running_ms,
    time AS first, time AS last
FROM whodid.kept_usage_events;

CREATE VIEW whodid.usage_days AS
SELECT
    day, level, "user", acting_for, coalesce(acting_for, "user") AS person,
    CASE WHEN NOT is_program THEN coalesce(acting_for, "user") END AS who, project,
    usage, usage_kind, context_type, context_project, login, connection_usage, connection, model, execution, thing,
    thing_name,
    memory_mb_s, cpu_ms, sql_ms, llm_queries, prompt_tokens, completion_tokens, llm_cost_usd, cache_hits, running_ms,
    first, last
FROM whodid.kept_usage_days;
