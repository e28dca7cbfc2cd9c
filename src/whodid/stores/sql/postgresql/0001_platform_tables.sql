-- The tables of schema public that existing usage SQL names, besides the events: people, things and what they hold.
-- Ids are uuid, times are UTC without time zone. Who fills them: the directory, as far as whodid knows the thing.

CREATE TABLE public.users (
    id uuid PRIMARY KEY,
    login text,
    name text,
    first_name text,
    last_name text,
    friendly_name text,
    email text,
    picture text,
    joined timestamp,
    group_id uuid
);
CREATE UNIQUE INDEX users_login_unique ON public.users (login);

CREATE TABLE public.groups (
    id uuid PRIMARY KEY,
    name text,
    friendly_name text,
    personal boolean,
    description text
);

CREATE TABLE public.groups_relations (
    parent_id uuid,
    child_id uuid,
    is_admin boolean,
    PRIMARY KEY (parent_id, child_id)
);
CREATE INDEX groups_relations_child ON public.groups_relations (child_id);

CREATE TABLE public.users_sessions (
    id uuid PRIMARY KEY,
    user_id uuid,
    started timestamp,
    ended timestamp,
    ip text,
    type text
);
CREATE INDEX users_sessions_user ON public.users_sessions (user_id);

CREATE TABLE public.entities (
    id uuid PRIMARY KEY,
    name text,
    friendly_name text,
    entity_type_id uuid,
    package_id uuid,
    is_deleted boolean
);

CREATE TABLE public.entities_types (
    id uuid PRIMARY KEY,
    name text
);

CREATE VIEW public.entity_types AS SELECT id, name FROM public.entities_types;

CREATE TABLE public.packages (id uuid PRIMARY KEY, name text, friendly_name text, category text);

CREATE TABLE public.published_packages (
    id uuid PRIMARY KEY,
    name text,
    package_id uuid,
    is_current boolean,
    package_author text,
    updated_on timestamp
);

CREATE TABLE public.projects (
    id uuid PRIMARY KEY,
    name text,
    friendly_name text,
    is_root boolean,
    is_package boolean,
    is_dashboard boolean,
    is_entity boolean
);

CREATE TABLE public.project_relations (project_id uuid, entity_id uuid);

CREATE TABLE public.tags (entity_id uuid, tag text);

CREATE TABLE public.queries (id uuid PRIMARY KEY, name text, connection_id uuid, author_id uuid, created_on timestamp);

CREATE TABLE public.connections (id uuid PRIMARY KEY, name text, data_source text, author_id uuid, created_on timestamp);

CREATE TABLE public.funcs (id uuid PRIMARY KEY, name text);

CREATE TABLE public.func_params (id uuid PRIMARY KEY, func_id uuid, name text, type text);

CREATE TABLE public.func_calls (
    id uuid PRIMARY KEY,
    func_id uuid,
    session_id uuid,
    status text,
    started timestamp,
    ended timestamp
);

CREATE TABLE public.func_call_values (
    func_call_id uuid,
    func_param_id uuid,
    value text,
    value_string text,
    value_uuid uuid,
    value_array varchar[],
    data_frame_value_name text
);

CREATE TABLE public.view_layouts (id uuid PRIMARY KEY, author_id uuid, created_on timestamp);

CREATE TABLE public.chats (id uuid PRIMARY KEY, name text);

CREATE TABLE public.comments (id uuid PRIMARY KEY, text text, user_id uuid, chat_id uuid, posted timestamp);

CREATE TABLE public.notifications (id uuid PRIMARY KEY);

CREATE TABLE public.jobs (id uuid PRIMARY KEY);

CREATE TABLE public.reports (
    id uuid PRIMARY KEY,
    number int,
    type text,
    name text,
    friendly_name text,
    description text,
    created_on timestamp,
    is_auto boolean,
    is_resolved boolean,
    reporter_id uuid,
    assignee_id uuid,
    data_id uuid,
    error_message text,
    error_stack_trace text,
    error_stack_trace_hash text,
    jira_ticket text,
    labels varchar[]
);

CREATE TABLE public.reports_data (id uuid PRIMARY KEY, data jsonb);

CREATE TABLE public.capture_rules (
    id uuid PRIMARY KEY,
    number int,
    name text,
    status text,
    created_by uuid,
    created_at timestamp,
    expires_at timestamp,
    ended_at timestamp,
    ended_by uuid,
    subject_type text,
    subject_value text,
    subject_name text,
    scope_type text,
    scope_value text,
    anonymous boolean,
    reason text,
    capture jsonb,
    events_captured int,
    max_events int,
    window_minutes int,
    max_sessions int
);
