-- A rejection that can come in twice has an id: a line of a file, read again after a crash.
ALTER TABLE whodid.rejected_events ADD COLUMN id text;
CREATE UNIQUE INDEX rejected_events_id ON whodid.rejected_events (id) WHERE id IS NOT NULL;
