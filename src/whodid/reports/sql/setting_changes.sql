-- family: security
-- title: Settings changed
-- question: Which settings were changed, by whom, from what to what?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: kind texts = @settings | types that tell of changes of settings
-- parameter: limit integer = 100 | rows at most
-- column: time time | when
-- column: person text | who did it
-- column: via text | the scenario, webapp or notebook that did it for them
-- column: type text | what was done
-- column: thing text | to what
-- column: thing_id text | the same by its id
-- column: description text | in words, where told
-- column: before json | how it was
-- column: after json | how it became, or what else was told
-- column: address text | from where
-- column: id uuid | the event
-- drill: /events/{id}
-- with: changes_found
SELECT c.time, c.person, c.via, c.type, c.thing, c.thing_id, c.description, c.before, c.after, c.address, c.id, n."of"
FROM changes c CROSS JOIN numbered n
ORDER BY c.time DESC, c.id
