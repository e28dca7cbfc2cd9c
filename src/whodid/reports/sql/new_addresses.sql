-- family: security
-- title: New addresses
-- question: Who came from an address for the first time?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: limit integer = 100 | rows at most
-- column: account text | login that was used or tried
-- column: address text | the address, never seen with this account before
-- column: first time | the first time
-- column: last time | the last time
-- column: logins integer logins | that went well
-- column: failed integer logins | that failed
-- column: known_addresses integer addresses | that it came from before; 0 for an account that is new itself
-- column: accounts integer accounts | how many came from this address, ever
-- chart: point x=first y=account
-- drill: /users/{account}
WITH tries AS (
    SELECT e.account, e.address, e.has_failed, e.time
    FROM login_events e
    WHERE e.time < $until AND chosen()
), pairs AS (
    SELECT
        account, address, min(time) AS first, max(time) AS last,
        count(*) FILTER (WHERE NOT has_failed) AS logins,
        count(*) FILTER (WHERE has_failed) AS failed
    FROM tries
    WHERE account IS NOT NULL AND address IS NOT NULL
    GROUP BY 1, 2
), counted AS (
    SELECT
        *,
        count(*) FILTER (WHERE first < $since) OVER (PARTITION BY account) AS known_addresses,
        count(*) OVER (PARTITION BY address) AS accounts
    FROM pairs
)
SELECT account, address, first, last, logins, failed, known_addresses, accounts, count(*) OVER () AS "of"
FROM counted
WHERE first >= $since
ORDER BY first DESC, account, address
LIMIT $limit
