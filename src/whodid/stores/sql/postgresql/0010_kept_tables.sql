-- What reports read instead of the events (`stores.base.KEPT`): counts by the first thing that events touched instead of
-- by their types alone, people and sessions also by the day, and some events with what reports take out of their JSON.
-- Everything is counted anew, once. A trigger adds a narrow row for each event, whoever writes it; these wait until
-- `whodid.merge_hours` counts them. Relations are views of what was counted and what waits.
DROP TRIGGER count_added ON public.events;
DROP TRIGGER count_removed ON public.events;
DROP TRIGGER count_changed ON public.events;
DROP TRIGGER count_emptied ON public.events;
DROP FUNCTION whodid.count_hours();
DROP FUNCTION whodid.recount_hours();
DROP FUNCTION whodid.merge_hours(int);
DROP TABLE whodid.event_hours;
DROP TABLE whodid.user_hours;
DROP TABLE whodid.session_hours;

CREATE FUNCTION whodid.is_program(login text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $is$
    SELECT coalesce(login LIKE 'api:%' OR login LIKE 'no:auth%', false)
$is$;

CREATE FUNCTION whodid.is_use(level text, topic text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $is$
    SELECT level IN ('audit', 'usage') AND topic NOT IN ('compute-resource-usage', 'authfail', 'generic-failure')
$is$;

CREATE FUNCTION whodid.verb_of(type text, is_error boolean, has_duration boolean) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $verb$
    SELECT CASE
        WHEN is_error THEN 'failed'
        WHEN type LIKE '%delete%' OR type LIKE '%removed%' THEN 'deleted'
        WHEN type LIKE '%-create' OR type LIKE '%-created' OR type LIKE '%-create-%' THEN 'made'
        WHEN type LIKE '%share%' OR type LIKE '%publish%' OR type LIKE '%permission%' THEN 'shared'
        WHEN type LIKE '%export%' OR type LIKE '%download%' THEN 'exported'
        WHEN type LIKE '%-save%' OR type LIKE '%edit%' OR type LIKE '%-change%' OR type LIKE '%-update%'
            OR type LIKE '%rename%' OR type LIKE '%-set-%' THEN 'edited'
        WHEN type LIKE '%read%' OR type LIKE '%open%' OR type LIKE '%-view%' OR type LIKE '%-get-%'
            OR type LIKE '%-list%' THEN 'read'
        WHEN has_duration OR type LIKE '%-start' OR type LIKE '%-run' OR type LIKE '%-build-%'
            OR type LIKE '%-trigger' THEN 'run'
        ELSE 'other'
    END
$verb$;

-- What waits to be counted.
CREATE TABLE whodid.waiting_events (
    time timestamp NOT NULL,
    session uuid,
    has_duration boolean NOT NULL,
    is_error boolean NOT NULL,
    has_failed boolean NOT NULL,
    is_program boolean NOT NULL,
    has_via boolean NOT NULL,
    by_hand boolean NOT NULL,
    type text NOT NULL,
    level text NOT NULL,
    topic text NOT NULL,
    "user" text,
    acting_for text,
    function text,
    project text,
    entity_type text,
    entity_id text,
    entity_name text,
    node text,
    node_type text,
    package text,
    version text,
    row_count double precision
);

-- By the first thing. A key may have several rows, here and below.
CREATE TABLE whodid.kept_thing_hours (
    hour timestamp NOT NULL,
    first timestamp NOT NULL,
    last timestamp NOT NULL,
    events int NOT NULL,
    uses int NOT NULL,
    runs int NOT NULL,
    errors int NOT NULL,
    failed int NOT NULL,
    is_program boolean NOT NULL,
    has_via boolean NOT NULL,
    by_hand boolean NOT NULL,
    type text NOT NULL,
    level text NOT NULL,
    topic text NOT NULL,
    verb text NOT NULL,
    "user" text,
    acting_for text,
    function text,
    project text,
    entity_type text,
    entity_id text,
    entity_name text,
    node text,
    node_type text,
    package text,
    version text,
    row_count double precision
);

CREATE TABLE whodid.kept_user_hours (
    hour timestamp NOT NULL,
    first timestamp NOT NULL,
    last timestamp NOT NULL,
    events int NOT NULL,
    uses int NOT NULL,
    runs int NOT NULL,
    errors int NOT NULL,
    failed int NOT NULL,
    is_program boolean NOT NULL,
    "user" text,
    acting_for text,
    row_count double precision
);

-- Made of the hours.
CREATE TABLE whodid.kept_user_days (
    day timestamp NOT NULL,
    first timestamp NOT NULL,
    last timestamp NOT NULL,
    events bigint NOT NULL,
    uses bigint NOT NULL,
    runs bigint NOT NULL,
    errors bigint NOT NULL,
    failed bigint NOT NULL,
    is_program boolean NOT NULL,
    "user" text,
    acting_for text,
    row_count double precision
);

CREATE TABLE whodid.kept_session_hours (
    hour timestamp NOT NULL,
    session uuid NOT NULL,
    is_program boolean NOT NULL,
    "user" text,
    acting_for text,
    project text
);

CREATE TABLE whodid.kept_session_days (
    day timestamp NOT NULL,
    session uuid NOT NULL,
    is_program boolean NOT NULL,
    "user" text,
    acting_for text
);

CREATE TABLE whodid.kept_error_events (
    time timestamp NOT NULL,
    id uuid NOT NULL,
    session uuid,
    error_hash uuid,
    is_program boolean NOT NULL,
    has_trace boolean NOT NULL,
    type text NOT NULL,
    level text NOT NULL,
    topic text NOT NULL,
    "user" text,
    acting_for text,
    project text,
    shape text NOT NULL,
    told text,
    entity_type text,
    entity_id text,
    source text NOT NULL,
    request_id text,
    version text
);

CREATE TABLE whodid.kept_query_events (
    time timestamp NOT NULL,
    id uuid NOT NULL,
    duration_ms double precision,
    is_program boolean NOT NULL,
    has_failed boolean NOT NULL,
    service text NOT NULL,
    endpoint text NOT NULL,
    told_version text,
    context_version text,
    caller text,
    node text,
    type text NOT NULL,
    level text NOT NULL,
    topic text NOT NULL,
    "user" text,
    acting_for text,
    project text,
    entity_type text,
    entity_id text,
    request_id text
);

CREATE TABLE whodid.kept_login_events (
    time timestamp NOT NULL,
    id uuid NOT NULL,
    is_program boolean NOT NULL,
    has_failed boolean NOT NULL,
    "user" text,
    acting_for text,
    account text,
    address text,
    type text NOT NULL,
    level text NOT NULL,
    topic text NOT NULL,
    project text,
    entity_type text,
    entity_id text
);

CREATE TABLE whodid.kept_item_events (
    time timestamp NOT NULL,
    id uuid NOT NULL,
    session uuid,
    is_program boolean NOT NULL,
    type text NOT NULL,
    item text,
    "user" text,
    acting_for text,
    level text NOT NULL,
    topic text NOT NULL,
    project text,
    entity_type text,
    entity_id text,
    request_id text
);

-- Sums that are 0 are NULL.
CREATE TABLE whodid.kept_usage_events (
    time timestamp NOT NULL,
    id uuid NOT NULL,
    is_program boolean NOT NULL,
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
    memory_mb_s double precision,
    cpu_ms double precision,
    sql_ms double precision,
    llm_queries double precision,
    prompt_tokens double precision,
    completion_tokens double precision,
    llm_cost_usd double precision,
    cache_hits double precision,
    running_ms double precision,
    type text NOT NULL,
    level text NOT NULL,
    topic text NOT NULL,
    "user" text,
    acting_for text,
    project text,
    entity_type text,
    entity_id text
);

CREATE TABLE whodid.kept_pod_events (
    time timestamp NOT NULL,
    id uuid NOT NULL,
    is_program boolean NOT NULL,
    is_census boolean NOT NULL,
    cluster text NOT NULL,
    pod text,
    namespace text,
    phase text,
    annotated_project text,
    labelled_project text,
    execution text,
    login text,
    memory_mb double precision,
    memory_request_mb double precision,
    cpu_millis double precision,
    cpu_request_millis double precision,
    type text NOT NULL,
    level text NOT NULL,
    topic text NOT NULL,
    "user" text,
    acting_for text,
    project text,
    entity_type text,
    entity_id text
);

