"""Questions to begin with: they run on every store as they are."""

from __future__ import annotations

from typing import Final, NamedTuple


class Example(NamedTuple):
    """A question and its statement."""

    title: str
    sql: str


EXAMPLES: Final[tuple[Example, ...]] = (
    Example(
        "People a day",
        """SELECT date_trunc('day', time) AS day, count(DISTINCT coalesce(acting_for, "user")) AS people
FROM events
WHERE time >= CAST(now() AS timestamp) - INTERVAL '30 days'
    AND coalesce(acting_for, "user") NOT LIKE 'api:%' AND coalesce(acting_for, "user") NOT LIKE 'no:auth%'
GROUP BY 1
ORDER BY 1""",
    ),
    Example(
        "Most frequent types",
        """SELECT type, count(*) AS events
FROM events
WHERE time >= CAST(now() AS timestamp) - INTERVAL '7 days'
GROUP BY 1
ORDER BY 2 DESC
LIMIT 20""",
    ),
    Example(
        "Errors by message",
        """SELECT error_message, count(*) AS errors, count(DISTINCT "user") AS logins, max(time) AS last
FROM events
WHERE (level = 'error' OR error_message IS NOT NULL) AND time >= CAST(now() AS timestamp) - INTERVAL '7 days'
GROUP BY 1
ORDER BY 2 DESC
LIMIT 50""",
    ),
    Example(
        "Slowest runs",
        """SELECT time, "user", function, duration_ms, status
FROM events
WHERE duration_ms IS NOT NULL
ORDER BY duration_ms DESC
LIMIT 50""",
    ),
    Example(
        "Who touched a thing",
        """SELECT "user", type, count(*) AS events, max(time) AS last
FROM events
WHERE entity_type = 'dataset' AND entity_name = 'orders'
GROUP BY 1, 2
ORDER BY 3 DESC""",
    ),
    Example(
        "Events and errors by level and day",
        """SELECT date_trunc('day', time) AS day, level, count(*) AS events
FROM events
WHERE time >= CAST(now() AS timestamp) - INTERVAL '30 days'
GROUP BY 1, 2
ORDER BY 1, 2""",
    ),
)
