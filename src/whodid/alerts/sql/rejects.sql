-- What was rejected since a time.
SELECT count(*) AS n FROM rejected_events r WHERE r.received_at >= $since
