-- The events, under the names that existing SQL uses; what whodid knows besides lies in columns beside those.
-- Partitions, one a month, are made by the writer; each has a unique index on id of its own.
-- Columns stand in the order that packs best (eight bytes, bytes, uuids), then those that the parameters' view reads:
-- every column before the one that is read costs time.

CREATE TABLE public.event_types (
    id uuid PRIMARY KEY,
    name text,
    friendly_name text,
    source text,
    is_error boolean,
    comment text,
    error_source text,
    error_severity text,
    error_stack_trace text,
    error_stack_trace_hash text
);
CREATE INDEX event_types_name ON public.event_types (name);
CREATE INDEX event_types_hash ON public.event_types (error_stack_trace_hash);

CREATE TABLE public.event_parameters (
    id uuid PRIMARY KEY,
    event_type_id uuid NOT NULL,
    name text NOT NULL,
    type text NOT NULL
);
CREATE INDEX event_parameters_type ON public.event_parameters (event_type_id);
CREATE INDEX event_parameters_name ON public.event_parameters (name);

CREATE TABLE public.events (
    event_time timestamp NOT NULL,
    received_at timestamp NOT NULL,
    seq bigint NOT NULL,
    duration_ms double precision,
    run_number int,
    is_error boolean NOT NULL,
    id uuid NOT NULL,
    event_type_id uuid NOT NULL,
    session_id uuid,
    entity_uuid uuid,
    error_hash uuid,
    parameters jsonb NOT NULL,
    entity_references jsonb,
    entity_role text,
    entity_type text,
    entity_id text,
    entity_name text,
    type text NOT NULL,
    source text NOT NULL,
    origin text NOT NULL,
    topic text NOT NULL,
    routing_key text,
    "user" text,
    acting_for text,
    via text,
    description text,
    friendly_name text,
    function text,
    request_id text,
    status text,
    error_message text,
    error_stack_trace text,
    comment text,
    exported_by text,
    node text,
    node_type text,
    orig_address text,
    key_id text,
    format text NOT NULL,
    receiver text NOT NULL,
    options jsonb,
    entities jsonb
) PARTITION BY RANGE (event_time);
COMMENT ON COLUMN public.events.source IS 'the level: audit, usage, error, warning, info, debug';
COMMENT ON COLUMN public.events.origin IS 'client or server';
COMMENT ON COLUMN public.events.entity_uuid IS 'entities.id of the first entity, where that is not its id itself';
COMMENT ON COLUMN public.events.entities IS 'all entities, where there are several';
COMMENT ON COLUMN public.events.entity_references IS 'entities.id by name of parameter, where there are several';

CREATE INDEX events_time ON public.events (event_time);
CREATE INDEX events_entity_time ON public.events (entity_id, event_time);
-- Repeated keys of an index on one column share an entry: 7 bytes an event instead of 40.
CREATE INDEX events_type ON public.events (type);
CREATE INDEX events_user ON public.events ("user");
CREATE INDEX events_session ON public.events (session_id);
CREATE INDEX events_error_hash ON public.events (error_hash, event_time) WHERE error_hash IS NOT NULL;

CREATE TABLE public.events_default PARTITION OF public.events DEFAULT;
CREATE UNIQUE INDEX events_default_id ON public.events_default (id);

-- One row a parameter of an event, read out of the event itself: its parameters, and its entities as references.
-- A plain join without subqueries, so that the planner goes through it in any order.
CREATE VIEW public.event_parameter_values AS
SELECT
    e.id AS event_id,
    p.id AS parameter_id,
    CASE
        WHEN p.type <> 'entity_id' THEN coalesce(e.parameters ->> p.name, 'null')
        WHEN e.entity_references IS NULL THEN coalesce(e.entity_uuid::text, e.entity_id)
        ELSE e.entity_references ->> p.name
    END AS value,
    CASE
        WHEN p.type <> 'entity_id' THEN NULL
        WHEN e.entity_references IS NULL THEN coalesce(e.entity_uuid, e.entity_id::uuid)
        ELSE (e.entity_references ->> p.name)::uuid
    END AS value_uuid
FROM public.events e
JOIN public.event_parameters p ON p.event_type_id = e.event_type_id
WHERE CASE
    WHEN p.type <> 'entity_id' THEN e.parameters ? p.name
    WHEN e.entity_references IS NULL THEN p.name = coalesce(e.entity_role, e.entity_type)
    ELSE e.entity_references ? p.name
END;

-- The relation that every store shows, and behind its columns those of public.events under their own names.
-- `source` means client or server here; the level that other SQL calls source is `level`.
CREATE VIEW whodid.events AS
SELECT
    id, event_time AS time, received_at, type, source AS level, topic, routing_key, origin AS source,
    session_id AS session, "user", acting_for, via, entity_type, entity_id, entity_name,
    CASE
        WHEN entities IS NOT NULL THEN entities
        WHEN entity_type IS NULL THEN '[]'::jsonb
        ELSE jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
            'role', entity_role, 'type', entity_type, 'id', entity_id, 'name', entity_name
        )))
    END AS entities,
    description, parameters, function, duration_ms, request_id, status, error_message, error_stack_trace, error_hash,
    node, node_type, orig_address, key_id, format, receiver, seq,
    event_time, session_id, event_type_id, friendly_name, is_error, comment, run_number, options, exported_by
FROM public.events;

-- The entities of an event beyond its first, so that the activity of an entity finds events that touched it besides.
CREATE TABLE whodid.event_entities (
    event_id uuid NOT NULL,
    time timestamp NOT NULL,
    type text NOT NULL,
    id text NOT NULL,
    role text,
    name text
);
CREATE INDEX event_entities_entity_time ON whodid.event_entities (id, time);

-- One row a rejection; `seq` is the running number its frame had at its receiver.
CREATE TABLE whodid.rejected_events (
    received_at timestamp NOT NULL,
    receiver text NOT NULL,
    seq bigint NOT NULL,
    index bigint NOT NULL,
    code text NOT NULL,
    message text NOT NULL,
    line bigint,
    source text,
    raw text,
    raw_encoding text NOT NULL,
    raw_size_bytes bigint,
    format text NOT NULL,
    key_id text,
    orig_address text
);

-- How far each receiver's journal is stored, and how much came of it.
CREATE TABLE whodid.journal_position (
    receiver text PRIMARY KEY,
    number bigint NOT NULL,
    events bigint NOT NULL,
    rejects bigint NOT NULL
);
