-- Ranges of a receiver's numbers are read in order by exports that begin in the past; rows lie nearly in that order, so
-- a summary of each 128 pages is enough: 24 bytes a megabyte of events.
CREATE INDEX events_seq ON public.events USING brin (seq) WITH (autosummarize = on);
