"""Forms of other schemas for what leaves: OCSF and CloudEvents."""
