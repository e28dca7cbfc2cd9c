-- family: users
-- title: Ways of working
-- question: Which kinds of users are there, by what they use?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: clusters integer = 1 | how many clusters; 1: as many as lie apart best, from 2 to 8
-- parameter: at_least integer = 20 | uses of a person in this time, for the person to count
-- parameter: logins texts = @logins | logins are no use of anything
-- parameter: logouts texts = @logouts | nor are logouts
-- parameter: failures texts = @failed_logins | nor are failed ones
-- parameter: own texts = @readings | nor is reading the audit
-- parameter: limit integer = 20 | rows at most
-- column: cluster text | named by what its people do more than the others
-- column: people integer people | how many
-- column: share_percent number % | of all people that count
-- column: sets_apart text | what they do more than the others: share of their uses against that of the others
-- column: seldom text | what they do less than the others
-- column: typical text | the three nearest to its centre
-- column: members json | logins, by name
-- column: features json | share of each feature in the uses of its people and of the others
-- column: silhouette number silhouette | how clearly they lie apart: 1 wholly, 0 not at all, below wrongly
-- column: why text | what was counted, and why so many clusters
-- chart: bar x=people y=cluster
-- step: whodid.analysis.clusters:clusters
SELECT person, feature, uses
FROM (
    SELECT e.who AS person, e.type AS feature, CAST(sum(e.events) AS bigint) AS uses
    FROM entity_days e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.uses > 0 AND e.who IS NOT NULL AND NOT e.has_via
    GROUP BY 1, 2
) used
WHERE NOT feature = ANY(CAST($logins AS varchar[])) AND NOT feature = ANY(CAST($failures AS varchar[]))
    AND NOT feature = ANY(CAST($logouts AS varchar[])) AND NOT feature = ANY(CAST($own AS varchar[]))
