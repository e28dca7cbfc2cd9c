-- family: api
-- title: Distribution
-- question: How are the values of a feature or prediction distributed, now and in the reference?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: reference_since time = before | where the reference begins; before: the equal time before
-- parameter: reference_until time = since | where the reference ends
-- parameter: service text =  | only this service
-- parameter: column text =  | only this feature, or part of the answer
-- parameter: sample integer = 2000 | queries of each endpoint and time that are looked at, by chance but always the same
-- parameter: limit integer = 1000 | rows at most
-- column: service text | the service
-- column: endpoint text | the endpoint
-- column: column text | the feature, or the part of the answer
-- column: place integer place | order of the parts
-- column: part text | a tenth of the reference, or a category
-- column: reference integer queries | in the reference
-- column: current integer queries | in this time
-- column: reference_percent number % | of the reference
-- column: current_percent number % | of this time
-- chart: bar x=part y=current_percent
-- step: whodid.analysis.api_report:distribution
-- with: api_answers
SELECT service, endpoint, is_current, features, result, queries
FROM sampled
ORDER BY service, endpoint, is_current, place
