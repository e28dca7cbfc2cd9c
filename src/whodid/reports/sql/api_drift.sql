-- family: api
-- title: Drift
-- question: Which features and predictions are distributed otherwise than they were?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: reference_since time = before | where the reference begins; before: the equal time before
-- parameter: reference_until time = since | where the reference ends
-- parameter: service text =  | only this service
-- parameter: sample integer = 5000 | queries of each endpoint and time that are looked at, by chance but always the same
-- parameter: limit integer = 100 | rows at most
-- column: service text | the service
-- column: endpoint text | the endpoint
-- column: column text | the feature, or the part of the answer
-- column: verdict text | drifted (PSI from 0.25 on), shifted (from 0.1 on), stable, or too few; both index and test
-- column: psi number PSI | population stability index: 0 the same, 0.1 shifted, 0.25 drifted
-- column: test text | Kolmogorov–Smirnov for numbers, chi-square for categories
-- column: statistic number statistic | of the test
-- column: p_value number probability | that chance makes such a difference
-- column: kind text | number or category
-- column: reference_mean number value | mean in the reference; of numbers
-- column: current_mean number value | mean in this time
-- column: reference_deviation number value | standard deviation in the reference
-- column: current_deviation number value | standard deviation in this time
-- column: reference_missing_percent number % | queries without a value in the reference
-- column: current_missing_percent number % | queries without a value in this time
-- column: reference_values integer queries | looked at in the reference
-- column: current_values integer queries | looked at in this time
-- column: queries integer queries | there are in this time
-- column: parts json | how many and what share lie in each part, then and now
-- chart: bar x=psi y=column
-- step: whodid.analysis.api_report:drift
-- with: api_answers
SELECT service, endpoint, is_current, features, result, queries
FROM sampled
WHERE place <= $sample AND ($service = '' OR service = $service)
ORDER BY service, endpoint, is_current, place
