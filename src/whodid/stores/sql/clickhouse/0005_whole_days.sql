-- The parts of a day in which nothing has come for an hour become one, up to the size to which the engine merges anyhow:
-- whoever asks plans every part and begins to read it, and there were two to three of a day for good.
ALTER TABLE events{local}{on_cluster} MODIFY SETTING
    min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1,
    enable_max_bytes_limit_for_min_age_to_force_merge = 1;
