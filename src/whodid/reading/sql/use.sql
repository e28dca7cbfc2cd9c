-- A use: something was done on purpose, by a person or by a program. Errors, refusals and notes are none, nor is what
-- nodes measure of their load.
(e."level" IN ('audit', 'usage') AND e."topic" NOT IN ('compute-resource-usage', 'authfail', 'generic-failure'))
