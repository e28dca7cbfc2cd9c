"""What the words of reports mean; each is written here once, and as SQL in `reading/sql/` where it is a condition."""

from __future__ import annotations

from typing import Final, NamedTuple


class Definition(NamedTuple):
    """A word, what it means, and the file in `reading/sql/` (without .sql) that says it as SQL."""

    word: str
    meaning: str
    sql: str | None = None


DEFINITIONS: Final = (
    Definition("person", "Whom a program acted for, else whoever acted.", "person"),
    Definition("program", "A login that begins with `api:` or `no:auth`."),
    Definition("user", "A person that is no program. `users` as a filter: what a login did or what was done for it."),
    Definition("active user", "A user with at least one event in the time, whatever it is."),
    Definition(
        "at the screen",
        "No program stands between; what DSS tells comes from the browser, and names neither a scenario nor a job.",
    ),
    Definition("new user", "A user whose first event of all lies in the time."),
    Definition("session", "Each id of a session is one. Events without a session count as events, not as sessions."),
    Definition(
        "use",
        "Something was done on purpose: level audit or usage, and neither a refusal nor a measurement of load.",
        "use",
    ),
    Definition("run", "Something was carried out, and how long it took is known.", "run"),
    Definition("error", "Reported as one, or it came with an error's message.", "error"),
    Definition(
        "project",
        "The project of an event: its parameter `projectKey`, else `project` (an empty text is none), else its first "
        "entity of type project.",
    ),
    Definition("group", "All its members, through groups within it, as they are when the report runs."),
    Definition("time", "`since` belongs to it, `until` does not. Times are UTC, days and hours those of `zone`."),
    Definition(
        "previous",
        "The equal time that ends at `since`. Empty, not 0, when recording began later than in its first tenth.",
    ),
    Definition("week", "From Monday on, in the reader's time zone."),
    Definition("of", "How many rows there are; `limit` of them are given, in an order that no two rows share."),
)
