-- Everything on the way to $entity (depth below 0) and on from it (above 0), at most $depth steps away.
flow_up AS (
    SELECT split_part(CAST($entity AS varchar), ':', 1) AS type,
        substr(CAST($entity AS varchar), strpos(CAST($entity AS varchar), ':') + 1) AS thing, 0 AS depth
    UNION
    SELECT f.from_type, f.from_id, u.depth - 1
    FROM flow_up u JOIN flow_edges f ON f.to_type = u.type AND f.to_id = u.thing
    WHERE u.depth > -CAST($depth AS integer)
), flow_down AS (
    SELECT split_part(CAST($entity AS varchar), ':', 1) AS type,
        substr(CAST($entity AS varchar), strpos(CAST($entity AS varchar), ':') + 1) AS thing, 0 AS depth
    UNION
    SELECT f.to_type, f.to_id, d.depth + 1
    FROM flow_down d JOIN flow_edges f ON f.from_type = d.type AND f.from_id = d.thing
    WHERE d.depth < CAST($depth AS integer)
), flow_above AS (
    SELECT type, thing, max(depth) AS depth FROM flow_up GROUP BY 1, 2
), flow_below AS (
    SELECT type, thing, min(depth) AS depth FROM flow_down GROUP BY 1, 2
)
