-- family: errors
-- title: Groups of errors
-- question: Which errors are new or came back, how many people meet them, and what makes them one?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: before time = @before | where the equal time before begins
-- parameter: group text =  | only this group
-- parameter: state all|open|muted|resolved|back = all | only groups in this state
-- parameter: limit integer = 50 | rows at most
-- column: group text | id of the group; its beginning is the version of the grouping
-- column: title text | type, message without what differs, and where
-- column: status text | new: first seen in this time; came back: not seen in the equal time before; known
-- column: state text | open, muted, resolved, or back: resolved, and seen again in that version or a later one
-- column: errors integer events | how many
-- column: previous integer events | in the equal time before
-- column: people integer people | persons who met it
-- column: first time | first seen, ever
-- column: last time | last seen
-- column: first_version text | the lowest version told with it, ever
-- column: version text | the highest version told with it
-- column: hashes integer hashes | stack traces that Datagrok's rule holds apart
-- column: trend json | errors in each of twelve equal parts of the time
-- column: rule text | what makes them one: in-app frames, all frames, message, type
-- column: why text | the same in words
-- column: message text | the latest message
-- column: source text | where it happens: client, server
-- column: sample uuid | the latest event
-- column: error_hashes json | those hashes
-- chart: bar x=errors y=title
-- drill: /errors/{group}
-- step: whodid.analysis.error_report:groups
-- with: errors_found
, placed AS (
    SELECT
        *,
        CASE WHEN time >= $since THEN CAST(floor(
            CAST(extract(epoch FROM time - CAST($since AS timestamp)) AS double precision) * 12 / CAST(
                extract(epoch FROM CAST($until AS timestamp) - CAST($since AS timestamp)) AS double precision
            )
        ) AS integer) END AS part
    FROM shaped
), counted AS (
    -- Which part of the time an error lies in is worked out once: an engine may do so each time it is named.
    SELECT
        error_hash, shape, version, person, part,
        CASE WHEN time >= $before THEN 1 ELSE 0 END AS is_near,
        count(*) AS errors,
        min(time) AS first,
        max(time) AS last,
        max(source) AS source
    FROM placed
    GROUP BY 1, 2, 3, 4, 5, 6
), people AS (
    SELECT
        error_hash, shape, version, person,
        coalesce(sum(errors) FILTER (WHERE part IS NOT NULL), 0) AS errors,
        coalesce(sum(errors) FILTER (WHERE part IS NULL AND is_near = 1), 0) AS previous,
        coalesce(sum(errors) FILTER (WHERE is_near = 0), 0) AS earlier,
        min(first) AS first,
        max(last) AS last,
        coalesce(sum(errors) FILTER (WHERE part = 0), 0) AS part_0,
        coalesce(sum(errors) FILTER (WHERE part = 1), 0) AS part_1,
        coalesce(sum(errors) FILTER (WHERE part = 2), 0) AS part_2,
        coalesce(sum(errors) FILTER (WHERE part = 3), 0) AS part_3,
        coalesce(sum(errors) FILTER (WHERE part = 4), 0) AS part_4,
        coalesce(sum(errors) FILTER (WHERE part = 5), 0) AS part_5,
        coalesce(sum(errors) FILTER (WHERE part = 6), 0) AS part_6,
        coalesce(sum(errors) FILTER (WHERE part = 7), 0) AS part_7,
        coalesce(sum(errors) FILTER (WHERE part = 8), 0) AS part_8,
        coalesce(sum(errors) FILTER (WHERE part = 9), 0) AS part_9,
        coalesce(sum(errors) FILTER (WHERE part = 10), 0) AS part_10,
        coalesce(sum(errors) FILTER (WHERE part = 11), 0) AS part_11,
        max(source) AS source
    FROM counted
    GROUP BY 1, 2, 3, 4
), shapes AS (
    SELECT
        error_hash, shape, version,
        CAST(sum(errors) AS bigint) AS errors,
        CAST(sum(previous) AS bigint) AS previous,
        CAST(sum(earlier) AS bigint) AS earlier,
        min(first) AS first,
        max(last) AS last,
        array_agg(person) FILTER (WHERE errors > 0 AND person IS NOT NULL) AS people,
        CAST(sum(part_0) AS bigint) AS part_0,
        CAST(sum(part_1) AS bigint) AS part_1,
        CAST(sum(part_2) AS bigint) AS part_2,
        CAST(sum(part_3) AS bigint) AS part_3,
        CAST(sum(part_4) AS bigint) AS part_4,
        CAST(sum(part_5) AS bigint) AS part_5,
        CAST(sum(part_6) AS bigint) AS part_6,
        CAST(sum(part_7) AS bigint) AS part_7,
        CAST(sum(part_8) AS bigint) AS part_8,
        CAST(sum(part_9) AS bigint) AS part_9,
        CAST(sum(part_10) AS bigint) AS part_10,
        CAST(sum(part_11) AS bigint) AS part_11,
        max(source) AS source
    FROM people
    GROUP BY 1, 2, 3
), latest AS (
    -- By time first: what is as late as the latest of a shape are few, and only their traces are read.
    SELECT
        s.*, CAST(e.id AS varchar) AS sample, e.type, e.told AS message, e.error_stack_trace,
        row_number() OVER (
            PARTITION BY s.error_hash, s.shape, s.version ORDER BY CAST(e.id AS varchar)
        ) AS place
    FROM shapes s
    JOIN error_events e
        ON e.time = s.last AND e.shape = s.shape AND e.version IS NOT DISTINCT FROM s.version
        AND e.error_hash IS NOT DISTINCT FROM s.error_hash
    WHERE chosen()
)
SELECT * FROM latest
WHERE place = 1
ORDER BY last DESC, sample
LIMIT 50000
