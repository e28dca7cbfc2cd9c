-- family: audit
-- title: What is not in the audit
-- question: Which events were rejected, filtered by a policy, refused or lost on the way to a target, and why?
-- parameter: since time = 30d | from when on; counts of policies are of all time
-- parameter: until time = now | until when
-- parameter: losses texts = @losses | types that tell of events that did not reach a target
-- parameter: limit integer = 100 | rows at most
-- column: what text | rejected, filtered, dead-lettered or lost
-- column: name text | code of the rejection, rule of the policy, or target
-- column: reason text | in words
-- column: events integer events | how many
-- column: first time | first in this time
-- column: last time | last in this time
-- chart: bar x=events y=name
-- step: whodid.analysis.audit_report:losses
SELECT
    'rejected' AS what,
    r.code AS name,
    min(r.message) AS reason,
    count(*) AS events,
    min(r.received_at) AS first,
    max(r.received_at) AS last
FROM rejected_events r
WHERE r.received_at >= $since AND r.received_at < $until
GROUP BY 2
UNION ALL
SELECT
    CASE WHEN e.type = 'target-lost-events' THEN 'lost' ELSE 'dead-lettered' END,
    coalesce(e.entity_name, e.entity_id),
    max(e.description),
    CAST(coalesce(sum(coalesce(number_of(parameter_at('after.events')), number_of(parameter('events')))), count(*)) AS bigint),
    min(e.time),
    max(e.time)
FROM events e
WHERE e.time >= $since AND e.time < $until AND e.type = ANY($losses) AND e.source = 'server'
GROUP BY 1, 2
