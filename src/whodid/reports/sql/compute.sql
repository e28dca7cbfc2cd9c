-- family: compute
-- title: Compute
-- question: Who uses how much memory, CPU, SQL time, Kubernetes and language models, and what does it cost?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: lookback time = @lookback | what was used before `since` is known from the 30 days before
-- parameter: by project|user|group|type|day = project | what a row is
-- parameter: users texts =  | logins to whom the use belongs
-- parameter: groups texts =  | names of groups to whose members the use belongs
-- parameter: projects texts =  | keys of projects to which the use belongs
-- parameter: limit integer = 100 | rows at most
-- column: subject text | the project, user, group, context type or day; unattributed is what belongs to none
-- column: resources integer resources | processes, connections, queries and model calls
-- column: memory_gb_h number GB·h | memory of local processes over time
-- column: cpu_h number h | CPU of local processes
-- column: sql_h number h | time that statements ran
-- column: pod_memory_gb_h number GB·h | memory of pods, over the gaps that were measured
-- column: pod_cpu_h number h | CPU of pods, over the gaps that were measured
-- column: pod_memory_request_gb_h number GB·h | memory that pods had asked for
-- column: pod_cpu_request_h number h | CPU that pods had asked for
-- column: llm_queries integer queries | calls of language models
-- column: llm_tokens integer tokens | tokens of prompts and completions
-- column: llm_cost_usd number USD | what the platform estimates for them
-- column: cost number currency | by the price book (setting price_book); empty without one
-- column: currency text | of the price book
-- column: memory_share_percent number % | of the memory of all
-- column: cpu_share_percent number % | of the CPU of all
-- column: cost_share_percent number % | of the cost of all
-- chart: bar x=memory_gb_h y=subject
-- step: whodid.analysis.compute:usage
-- with: compute_usage
-- with: pods_usage
SELECT
    day, project, login, context_type,
    sum(memory_gb_h) AS memory_gb_h, sum(cpu_h) AS cpu_h, sum(sql_h) AS sql_h,
    0.0 AS pod_memory_gb_h, 0.0 AS pod_cpu_h, 0.0 AS pod_memory_request_gb_h, 0.0 AS pod_cpu_request_h,
    sum(llm_queries) AS llm_queries, sum(prompt_tokens) AS prompt_tokens, sum(completion_tokens) AS completion_tokens,
    sum(llm_cost_usd) AS llm_cost_usd, sum(resources) AS resources
FROM used
GROUP BY 1, 2, 3, 4
UNION ALL
SELECT
    p.day,
    coalesce(p.annotated_project, job.project, known.project, p.labelled_project) AS project,
    coalesce(job.login, p.login) AS login,
    job.context_type,
    0.0, 0.0, 0.0,
    sum(p.memory_gb_h), sum(p.cpu_h), sum(p.memory_request_gb_h), sum(p.cpu_request_h),
    0.0, 0.0, 0.0, 0.0, 0
FROM (
    -- Before anything is joined: pods say the same again and again.
    SELECT
        day, annotated_project, labelled_project, execution, login,
        sum(memory_gb_h) AS memory_gb_h, sum(cpu_h) AS cpu_h, sum(memory_request_gb_h) AS memory_request_gb_h,
        sum(cpu_request_h) AS cpu_request_h
    FROM pods_used
    WHERE NOT is_census
    GROUP BY 1, 2, 3, 4, 5
) p
LEFT JOIN (
    -- Labels of pods are in lower case, whatever the id is in.
    SELECT lower(execution) AS label, max(project) AS project, max(login) AS login, max(context_type) AS context_type
    FROM belonging WHERE execution IS NOT NULL GROUP BY 1
) job ON job.label = lower(p.execution)
LEFT JOIN (
    SELECT lower(project) AS label, max(project) AS project FROM belonging WHERE project IS NOT NULL GROUP BY 1
) known ON known.label = lower(p.labelled_project)
GROUP BY 1, 2, 3, 4
