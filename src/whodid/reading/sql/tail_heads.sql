-- How far each receiver's events are stored, among those that happened lately.
SELECT e."receiver" AS receiver, max(e."seq") AS seq
FROM {source} e
WHERE e."time" >= CAST($since AS timestamp) AND ({newer})
GROUP BY e."receiver"
