INSERT INTO wide
VALUES (
    gen_random_uuid(), now(), 'query-start', gen_random_uuid(), 'user0001', 'query', 'c0ffee', 'Query 1',
    '@user ran @query', 'Team1:function1', 12.5, 'ok',
    '{"rows":1200,"columns":14,"project":"PROJECT_7","filter":"value > 0.51","cached":false}'
)
ON CONFLICT DO NOTHING;
