-- What was refused is rare, and looked for by these two conditions: every event of a month would be read for each.
CREATE INDEX events_authfail ON public.events (event_time) WHERE topic = 'authfail';
CREATE INDEX events_denied ON public.events (event_time) WHERE status = ANY(ARRAY['denied', 'refused', 'forbidden']);
