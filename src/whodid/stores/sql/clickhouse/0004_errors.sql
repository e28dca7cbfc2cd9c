-- Errors by their hash lie in every granule of the events, a few in each. Here they lie together, in each part of the
-- data; the engine answers from here what asks for `error_hash IS NOT NULL` or one hash and for these columns. Parts
-- with it and without it are not merged with each other: those that are there get it in the background. It would keep
-- rows that are only marked as deleted, so that the engine is told to refuse such marks, and makes those true that are
-- there.
ALTER TABLE events{local}{on_cluster} MODIFY SETTING
    allow_nullable_key = 1, lightweight_mutation_projection_mode = 'throw';

ALTER TABLE events{local}{on_cluster} APPLY DELETED MASK SETTINGS mutations_sync = 2;

ALTER TABLE events{local}{on_cluster} ADD PROJECTION IF NOT EXISTS errors (
    SELECT error_hash, time, user, error_message ORDER BY error_hash, time
);

ALTER TABLE events{local}{on_cluster} MATERIALIZE PROJECTION errors;
