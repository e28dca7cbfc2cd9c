-- What happened since a time, for a dry run.
SELECT {columns} FROM {events} e WHERE e."time" >= CAST($since AS timestamp) ORDER BY e."time", e."id"
