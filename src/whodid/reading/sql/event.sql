-- One event by its id, if the reader may see it.
SELECT {columns}
FROM {source} e
WHERE e."id" = CAST($id AS uuid) AND {where}
