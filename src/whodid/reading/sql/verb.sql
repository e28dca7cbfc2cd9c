-- What was done to a thing, by the words of the type: the first that fits.
CASE
    WHEN (e."level" = 'error' OR e."error_message" IS NOT NULL) THEN 'failed'
    WHEN e."type" LIKE '%delete%' OR e."type" LIKE '%removed%' THEN 'deleted'
    WHEN e."type" LIKE '%-create' OR e."type" LIKE '%-created' OR e."type" LIKE '%-create-%' THEN 'made'
    WHEN e."type" LIKE '%share%' OR e."type" LIKE '%publish%' OR e."type" LIKE '%permission%' THEN 'shared'
    WHEN e."type" LIKE '%export%' OR e."type" LIKE '%download%' THEN 'exported'
    WHEN e."type" LIKE '%-save%' OR e."type" LIKE '%edit%' OR e."type" LIKE '%-change%' OR e."type" LIKE '%-update%'
        OR e."type" LIKE '%rename%' OR e."type" LIKE '%-set-%' THEN 'edited'
    WHEN e."type" LIKE '%read%' OR e."type" LIKE '%open%' OR e."type" LIKE '%-view%' OR e."type" LIKE '%-get-%'
        OR e."type" LIKE '%-list%' THEN 'read'
    WHEN e."duration_ms" IS NOT NULL OR e."type" LIKE '%-start' OR e."type" LIKE '%-run' OR e."type" LIKE '%-build-%'
        OR e."type" LIKE '%-trigger' THEN 'run'
    ELSE 'other'
END
