-- family: security
-- title: Logins
-- question: Who logs in, whose logins fail, from how many addresses?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: limit integer = 100 | rows at most
-- column: account text | login that was used; for a failure, that was tried
-- column: logins integer logins | how many
-- column: failed integer logins | how many failed
-- column: failed_percent number % | of all tries
-- column: addresses integer addresses | addresses of logins
-- column: failed_addresses integer addresses | addresses of failed logins
-- column: worst_hour integer logins | failed logins in the worst hour (UTC)
-- column: last_login time | the last
-- column: first_failure time | the first that failed
-- column: last_failure time | the last that failed
-- chart: bar x=failed y=account
-- drill: /users/{account}
WITH tries AS (
    SELECT e.account, e.address, e.has_failed, e.time, date_trunc('hour', e.time) AS hour
    FROM login_events e
    WHERE e.time >= $since AND e.time < $until AND chosen()
), hours AS (
    SELECT account, hour, count(*) AS failed FROM tries WHERE has_failed GROUP BY 1, 2
), worst AS (
    SELECT account, max(failed) AS failed FROM hours GROUP BY 1
)
SELECT
    t.account,
    count(*) FILTER (WHERE NOT has_failed) AS logins,
    count(*) FILTER (WHERE has_failed) AS failed,
    CAST(count(*) FILTER (WHERE has_failed) AS double precision) * 100 / count(*) AS failed_percent,
    count(DISTINCT CASE WHEN NOT has_failed THEN address END) AS addresses,
    count(DISTINCT CASE WHEN has_failed THEN address END) AS failed_addresses,
    coalesce(max(w.failed), 0) AS worst_hour,
    max(CASE WHEN NOT has_failed THEN time END) AS last_login,
    min(CASE WHEN has_failed THEN time END) AS first_failure,
    max(CASE WHEN has_failed THEN time END) AS last_failure,
    count(*) OVER () AS "of"
FROM tries t
LEFT JOIN worst w ON w.account = t.account
GROUP BY t.account
ORDER BY failed DESC, logins DESC, account
LIMIT $limit
