-- One event by its id.
SELECT {columns}
FROM {source} e
WHERE e."id" = CAST($id AS uuid)
