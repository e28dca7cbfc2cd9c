-- family: entities
-- title: Origin
-- question: Where does a dataset come from, through which queries, scripts, jobs and recipes, and where does it go on?
-- needs: flow_told
-- with: flow_known
-- with: flow_edges
-- with: flow_reached
-- parameter: since time = 90d | runs from when on
-- parameter: until time = now | until when
-- parameter: entity text = | the thing, as type:id
-- parameter: depth integer = 6 | so many steps away at most
-- parameter: limit integer = 500 | rows at most
-- column: from_type text | type of where it comes from
-- column: from_id text | its id
-- column: from_name text | its name
-- column: to_type text | type of where it goes
-- column: to_id text | its id
-- column: to_name text | its name
-- column: depth integer steps | steps to the thing (below 0: on the way to it) or from it (above 0)
-- column: runs integer events | how often this way was gone
-- column: failed integer events | of these, those that failed
-- column: users integer people | who did it, or for whom it was done
-- column: via text | a scenario, job, webapp or notebook that did it for them
-- column: first time | first in the time
-- column: last time | the latest
-- column: age_hours number h | how long that was before `until`
-- chart: graph x=from_id y=to_id color=depth
-- drill: /entities/{from_type}/{from_id}
, told AS (
    SELECT f.*, a.depth - 1 AS depth
    FROM flow_edges f JOIN flow_above a ON f.to_type = a.type AND f.to_id = a.thing
    WHERE a.depth > -CAST($depth AS integer)
    UNION ALL
    SELECT f.*, b.depth + 1
    FROM flow_edges f JOIN flow_below b ON f.from_type = b.type AND f.from_id = b.thing
    WHERE b.depth < CAST($depth AS integer)
), once AS (
    SELECT t.*, row_number() OVER (
        PARTITION BY from_type, from_id, to_type, to_id ORDER BY abs(depth), depth
    ) AS place
    FROM told t
), shown AS (
    SELECT o.*, count(*) OVER () AS "of"
    FROM once o
    WHERE place = 1
    ORDER BY depth, from_type, from_id, to_type, to_id
    LIMIT $limit
)
-- People are counted of what is shown, in one look at what these ways are: an engine reads a table wherever it is named.
SELECT
    s.from_type, s.from_id, max(s.from_name) AS from_name, s.to_type, s.to_id, max(s.to_name) AS to_name,
    CAST(max(s.depth) AS bigint) AS depth, max(s.runs) AS runs, max(s.failed) AS failed,
    count(DISTINCT e.person) AS users, max(s.via) AS via, max(s.first) AS first, max(s.last) AS last,
    CAST(extract(epoch FROM CAST($until AS timestamp) - max(s.last)) AS double precision) / 3600 AS age_hours,
    max(s."of") AS "of"
FROM shown s
JOIN flow_ways w
    ON w.from_type = s.from_type AND w.from_id = s.from_id AND w.to_type = s.to_type AND w.to_id = s.to_id
JOIN flow_hours e
    ON e.touched = w.told AND e.type = w.event_type AND e.via IS NOT DISTINCT FROM w.via
    AND e.function IS NOT DISTINCT FROM w.function
WHERE e.time >= $since AND e.time < $until AND seen()
GROUP BY s.from_type, s.from_id, s.to_type, s.to_id
ORDER BY depth, s.from_type, s.from_id, s.to_type, s.to_id
LIMIT $limit
