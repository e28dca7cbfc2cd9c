-- family: security
-- title: Refusals
-- question: Who was refused what, and why?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: refusals texts = @refusals | types that tell of a refusal
-- parameter: failures texts = @failed_logins | types that are failed logins, which have a report of their own
-- parameter: limit integer = 100 | rows at most
-- column: person text | who was refused, or the account that was named
-- column: type text | what was refused, as the platform calls it
-- column: reason text | why: the latest
-- column: thing text | what it was about: the latest
-- column: thing_id text | the same by its id
-- column: refusals integer events | how many
-- column: addresses integer addresses | from how many addresses
-- column: first time | first in this time
-- column: last time | last in this time
-- chart: bar x=refusals y=type
-- drill: /events?type={type}&user={person}
WITH refused AS (
    SELECT
        coalesce(person(), parameter('login')) AS person,
        e.type,
        coalesce(parameter('reason'), e.error_message, e.description) AS reason,
        e.entity_type || ':' || coalesce(e.entity_name, e.entity_id) AS thing,
        e.entity_type || ':' || e.entity_id AS thing_id,
        coalesce(parameter('originalIP'), parameter('clientIP'), parameter('ip'), e.orig_address) AS address,
        e.time,
        row_number() OVER (
            PARTITION BY coalesce(person(), parameter('login')), e.type ORDER BY e.time DESC, e.id
        ) AS age
    FROM (
        -- Each condition by itself: of several with an OR between every event is read before one of them is looked at.
        SELECT e.* FROM events e
        WHERE e.time >= $since AND e.time < $until AND chosen() AND e.type = ANY($refusals)
        UNION ALL
        SELECT e.* FROM events e
        WHERE e.time >= $since AND e.time < $until AND chosen() AND e.topic = 'authfail' AND NOT e.type = ANY($refusals)
        UNION ALL
        SELECT e.* FROM events e
        WHERE e.time >= $since AND e.time < $until AND chosen()
            AND e.status = ANY(ARRAY['denied', 'refused', 'forbidden'])
            AND coalesce(e.topic, '') <> 'authfail' AND NOT e.type = ANY($refusals)
    ) e
    WHERE NOT e.type = ANY($failures)
)
SELECT
    person,
    type,
    max(CASE WHEN age = 1 THEN reason END) AS reason,
    max(CASE WHEN age = 1 THEN thing END) AS thing,
    max(CASE WHEN age = 1 THEN thing_id END) AS thing_id,
    count(*) AS refusals,
    count(DISTINCT address) AS addresses,
    min(time) AS first,
    max(time) AS last,
    count(*) OVER () AS "of"
FROM refused
GROUP BY 1, 2
ORDER BY refusals DESC, last DESC, person, type
LIMIT $limit
