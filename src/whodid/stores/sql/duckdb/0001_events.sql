-- The events, what was rejected, and how far each receiver's journal is stored.
CREATE TABLE events (
    id UUID NOT NULL,
    time TIMESTAMP NOT NULL,
    received_at TIMESTAMP NOT NULL,
    type VARCHAR NOT NULL,
    level VARCHAR NOT NULL,
    topic VARCHAR NOT NULL,
    routing_key VARCHAR,
    source VARCHAR NOT NULL,
    session UUID,
    "user" VARCHAR,
    acting_for VARCHAR,
    via VARCHAR,
    entity_type VARCHAR,
    entity_id VARCHAR,
    entity_name VARCHAR,
    entities JSON NOT NULL,
    description VARCHAR,
    parameters JSON NOT NULL,
    function VARCHAR,
    duration_ms DOUBLE,
    request_id VARCHAR,
    status VARCHAR,
    error_message VARCHAR,
    error_stack_trace VARCHAR,
    error_hash UUID,
    node VARCHAR,
    node_type VARCHAR,
    orig_address VARCHAR,
    key_id VARCHAR,
    format VARCHAR NOT NULL,
    receiver VARCHAR NOT NULL,
    seq BIGINT NOT NULL
);

-- One row a rejection; `seq` is the running number its frame had at its receiver.
CREATE TABLE rejected_events (
    received_at TIMESTAMP NOT NULL,
    receiver VARCHAR NOT NULL,
    seq BIGINT NOT NULL,
    "index" BIGINT NOT NULL,
    code VARCHAR NOT NULL,
    message VARCHAR NOT NULL,
    line BIGINT,
    source VARCHAR,
    raw VARCHAR,
    raw_encoding VARCHAR NOT NULL,
    raw_size_bytes BIGINT,
    format VARCHAR NOT NULL,
    key_id VARCHAR,
    orig_address VARCHAR
);

CREATE TABLE journal_position (
    receiver VARCHAR PRIMARY KEY,
    number BIGINT NOT NULL
);
