-- Rejections that are not there yet.
INSERT INTO rejected_events
FROM ({rejects}) r
WHERE r.id IS NULL OR NOT EXISTS (SELECT 1 FROM rejected_events held WHERE held.id = r.id)
QUALIFY r.id IS NULL OR row_number() OVER (PARTITION BY r.id ORDER BY r.seq) = 1
