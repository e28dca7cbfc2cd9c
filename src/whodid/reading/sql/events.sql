-- The events that a filter means, in an order that no two events share.
SELECT {columns}
FROM {source} e
WHERE {where}
ORDER BY e."time" {direction}, e."id" {direction}
LIMIT {limit}
