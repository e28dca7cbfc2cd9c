-- A run: something was carried out, and how long it took is known.
e."duration_ms" IS NOT NULL
