-- A rejection that can come in twice has an id: a line of a file, read again after a crash.
ALTER TABLE rejected_events ADD COLUMN id VARCHAR;
