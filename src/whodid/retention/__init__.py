"""How long events and sessions are kept: a setting, and who sees to it once a day."""
