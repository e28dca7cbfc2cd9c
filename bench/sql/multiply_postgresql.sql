-- Further copies of the events of some time: other ids, sessions and requests, within an hour of the first, done by ten
-- times as many people.
INSERT INTO public.events ({columns}) SELECT {columns} FROM (
    SELECT
        (left(e.id::text, 24) || right(md5(e.id::text || copy), 12))::uuid AS id,
        e.event_time + interval '1 millisecond' * abs(hashtext(e.id::text || copy) % 3600000) AS event_time,
        CASE WHEN e.session_id IS NOT NULL THEN md5(e.session_id::text || copy)::uuid END AS session_id,
        CASE WHEN copy % 10 > 0 AND e."user" NOT LIKE '%:%' THEN e."user" || '.' || copy % 10 ELSE e."user" END AS "user",
        CASE WHEN copy % 10 > 0 AND e.acting_for NOT LIKE '%:%' THEN e.acting_for || '.' || copy % 10
            ELSE e.acting_for END AS acting_for,
        e.request_id || '.' || copy AS request_id,
        copy * {events} + e.seq AS seq,
        {others}
    FROM public.events e, generate_series(1, {copies} - 1) AS copies(copy)
    WHERE e.seq <= {events} AND e.event_time >= '{begins}' AND e.event_time < '{ends}'
) copied
ORDER BY event_time
