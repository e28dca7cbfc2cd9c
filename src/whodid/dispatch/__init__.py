"""Exports: every stored event is offered to each target, in order, as far as the target wants it.

    journal ─► store ─┬─► kept segments ─┐                 ┌─► selection ─► shaping ─► Delivery ─► target
    (sealed)          │    (.stored)     ├─► source ───────┤        one worker (thread) and one cursor for each
                      └─► events (SQL) ──┘                 └─► …

`row` is what an administrator says of a target, `source` where its next events come from, `delivery` what it is
handed, `worker` the thread that hands it over, `dispatcher` all of them together with what the journal keeps for them,
`management` the verbs, `trial` the test event, the dry run and the replay of dead letters.
"""
