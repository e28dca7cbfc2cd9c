-- The person behind an event: whom a program acted for, else whoever acted.
coalesce(e."acting_for", e."user")
