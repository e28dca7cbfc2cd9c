-- What queries of API nodes were asked and answered: of an eighth of them, those of which samples are likely taken.
SELECT e.id, e.time, e.level, e.request_id, e."parameters"
FROM events e
WHERE e.topic = 'apinode-query' AND e.type <> 'ground-truth' AND chance() < 0.125
