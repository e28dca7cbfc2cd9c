-- family: compute
-- title: Language models
-- question: Which language models are called, from which projects, with how many tokens, at what cost?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: lookback time = @lookback | what was used before `since` is known from the 30 days before
-- parameter: limit integer = 50 | rows at most
-- column: model text | id of the model
-- column: connection text | the connection it was called through
-- column: project text | the project that called; empty: unattributed
-- column: people integer people | who called
-- column: queries integer queries | calls
-- column: prompt_tokens integer tokens | tokens of prompts
-- column: completion_tokens integer tokens | tokens of answers
-- column: cache_hits integer queries | calls that the cache answered
-- column: llm_cost_usd number USD | what the platform estimates
-- chart: bar x=llm_cost_usd y=model
-- with: compute_usage
SELECT
    model,
    connection,
    project,
    count(DISTINCT login) AS people,
    CAST(sum(llm_queries) AS bigint) AS queries,
    CAST(sum(prompt_tokens) AS bigint) AS prompt_tokens,
    CAST(sum(completion_tokens) AS bigint) AS completion_tokens,
    CAST(sum(cache_hits) AS bigint) AS cache_hits,
    sum(llm_cost_usd) AS llm_cost_usd,
    count(*) OVER () AS "of"
FROM used
WHERE kind = 'LLM_USAGE'
GROUP BY 1, 2, 3
ORDER BY llm_cost_usd DESC, queries DESC, model, connection, project
LIMIT $limit
