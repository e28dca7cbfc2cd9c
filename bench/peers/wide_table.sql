-- One wide table with jsonb parameters and five indexes: what people build by hand.
DROP TABLE IF EXISTS wide;
CREATE TABLE wide (
    id uuid PRIMARY KEY,
    time timestamptz NOT NULL,
    type text NOT NULL,
    session uuid,
    "user" text,
    entity_type text,
    entity_id text,
    entity_name text,
    description text,
    function text,
    duration_ms double precision,
    status text,
    parameters jsonb
);
CREATE INDEX ON wide (time);
CREATE INDEX ON wide (entity_id, time);
CREATE INDEX ON wide ("user", time);
CREATE INDEX ON wide (session);
