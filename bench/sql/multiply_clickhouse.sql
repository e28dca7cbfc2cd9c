-- Further copies of all events: other ids, sessions and requests, within an hour of the first, done by ten times as many
-- people.
INSERT INTO {database}.events ({columns}) SELECT {columns} FROM (
    SELECT
        toUUID(concat(left(toString(e.id), 24), lower(left(hex(MD5(concat(toString(e.id), toString(copy)))), 12)))) AS id,
        e.time + toIntervalMillisecond(cityHash64(e.id, copy) % 3600000) AS time,
        reinterpret(MD5(concat(toString(e.session), toString(copy))), 'UUID') AS session,
        if(copy % 10 > 0 AND e.user NOT LIKE '%:%', concat(e.user, '.', toString(copy % 10)), e.user) AS user,
        if(copy % 10 > 0 AND e.acting_for NOT LIKE '%:%', concat(e.acting_for, '.', toString(copy % 10)), e.acting_for)
            AS acting_for,
        concat(e.request_id, '.', toString(copy)) AS request_id,
        copy * {events} + e.seq AS seq,
        {others}
    FROM {database}.events AS e CROSS JOIN (SELECT arrayJoin(range(1, {copies})) AS copy) AS copies
)
SETTINGS max_partitions_per_insert_block = 0, optimize_on_insert = 0, min_insert_block_size_rows = 2000000,
    min_insert_block_size_bytes = 0
