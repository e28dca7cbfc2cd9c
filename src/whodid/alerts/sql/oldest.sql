-- Since when there are events.
SELECT min(e.time) AS oldest FROM events e
