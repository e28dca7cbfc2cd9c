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
    -- Added up by address first: different addresses of all logins would have to be put in order.
    SELECT
        e.account, e.address, e.has_failed, CASE WHEN e.has_failed THEN date_trunc('hour', e.time) END AS hour,
        count(*) AS tries, min(e.time) AS first, max(e.time) AS last
    FROM login_events e
    WHERE e.time >= $since AND e.time < $until AND chosen()
    GROUP BY 1, 2, 3, 4
), worst AS (
    SELECT account, max(failed) AS failed
    FROM (SELECT account, hour, sum(tries) AS failed FROM tries WHERE has_failed GROUP BY 1, 2) hours
    GROUP BY 1
), counted AS (
    SELECT
        account,
        CAST(sum(CASE WHEN has_failed THEN 0 ELSE tries END) AS bigint) AS logins,
        CAST(sum(CASE WHEN has_failed THEN tries ELSE 0 END) AS bigint) AS failed,
        count(DISTINCT CASE WHEN NOT has_failed THEN address END) AS addresses,
        count(DISTINCT CASE WHEN has_failed THEN address END) AS failed_addresses,
        max(CASE WHEN NOT has_failed THEN last END) AS last_login,
        min(CASE WHEN has_failed THEN first END) AS first_failure,
        max(CASE WHEN has_failed THEN last END) AS last_failure
    FROM tries
    GROUP BY 1
)
SELECT
    c.account, c.logins, c.failed,
    CAST(c.failed AS double precision) * 100 / (c.logins + c.failed) AS failed_percent,
    c.addresses, c.failed_addresses, CAST(coalesce(w.failed, 0) AS bigint) AS worst_hour,
    c.last_login, c.first_failure, c.last_failure,
    count(*) OVER () AS "of"
FROM counted c
LEFT JOIN worst w ON w.account = c.account
ORDER BY c.failed DESC, c.logins DESC, c.account
LIMIT $limit
