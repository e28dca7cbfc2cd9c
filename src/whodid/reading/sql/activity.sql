-- Activity: what was done, as the server knows it. These are audited actions, and whatever a server itself reported;
-- clicks of a browser and notes for debugging are not.
(e."level" = 'audit' OR e."source" = 'server') AND e."level" NOT IN ('info', 'debug')
