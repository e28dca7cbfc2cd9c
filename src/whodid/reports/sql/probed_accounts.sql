-- family: security
-- title: Probed accounts
-- question: Which accounts did somebody try to get into?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: at_least integer = 4 | failed logins of one account on one day, from addresses it never logged in from
-- parameter: limit integer = 100 | rows at most
-- column: account text | login that was tried
-- column: day local | day, in your time zone
-- column: failed integer logins | failed logins from addresses that it had never logged in from
-- column: addresses integer addresses | how many of those
-- column: networks integer networks | how many when only the first three parts of an address count
-- column: first time | the first try
-- column: last time | the last try
-- column: got_in integer logins | logins from one of these addresses on that day or later
-- chart: bar x=failed y=account
-- drill: /users/{account}
WITH failed AS (
    SELECT e.account, e.address, e.time
    FROM login_events e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.has_failed
), known AS (
    -- Of those whose logins fail, who are few.
    SELECT e.account, e.address, min(e.time) AS first, max(e.time) AS last
    FROM login_events e
    WHERE e.time < $until AND chosen() AND NOT e.has_failed AND e.account IN (SELECT account FROM failed)
    GROUP BY 1, 2
), strange AS (
    SELECT t.account, t.address, t.time, k.last AS logged_in_last
    FROM failed t
    LEFT JOIN known k ON k.account = t.account AND k.address = t.address
    WHERE k.first IS NULL OR k.first > t.time
)
SELECT
    account,
    CAST(date_trunc('day', local(time)) AS date) AS day,
    count(*) AS failed,
    count(DISTINCT address) AS addresses,
    count(DISTINCT regexp_replace(address, '[.:][^.:]*$', '')) AS networks,
    min(time) AS first,
    max(time) AS last,
    count(DISTINCT CASE WHEN logged_in_last > time THEN address END) AS got_in,
    count(*) OVER () AS "of"
FROM strange
GROUP BY 1, 2
HAVING count(*) >= $at_least
ORDER BY failed DESC, first DESC, account
LIMIT $limit
