"""A few answers from the demo's story, each with the command that asks for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from whodid.demo.story import COSTLY_NOTEBOOK, MOVED_DATASET

if TYPE_CHECKING:
    from whodid.reading.answer import Answer
    from whodid.reading.reader import Reader

_NOTEBOOK_SQL: Final = f"""SELECT "user", count(*) AS events, max(time) AS last
FROM events WHERE entity_id = '{COSTLY_NOTEBOOK.id}' GROUP BY 1 ORDER BY 2 DESC, 1"""  # noqa: S608 (an id of our own story)
_DATASET: Final = f"dataset:{MOVED_DATASET.id}"


class Example(NamedTuple):
    """A question in words, the command that asks it, how it is asked here, and which columns to show."""

    question: str
    command: str
    ask: Callable[[Reader], Answer]
    columns: Sequence[str]


EXAMPLES: Final = (
    Example(
        "Who was most active this week?",
        "whodid report users --since 7d --limit 5",
        lambda reader: reader.report("users", since="7d", limit=5),
        ("person", "events", "previous_events", "sessions", "active_days", "errors"),
    ),
    Example(
        "Which errors are there, and in which version?",
        "whodid report errors --since 30d --limit 5",
        lambda reader: reader.report("errors", since="30d", limit=5),
        ("errors", "people", "version", "message"),
    ),
    Example(
        f"Who used the notebook {COSTLY_NOTEBOOK.name}, which costs most?",
        'whodid query "' + " ".join(_NOTEBOOK_SQL.replace('"', '\\"').split()) + '"',
        lambda reader: reader.query(_NOTEBOOK_SQL, limit=5),
        ("user", "events", "last"),
    ),
    Example(
        f"What happened to the dataset {MOVED_DATASET.id}?",
        f"whodid activity entity {_DATASET} --since 90d --limit 5",
        lambda reader: reader.activity(entity=_DATASET, since="90d", limit=5),
        ("time", "user", "type", "status", "via"),
    ),
    Example(
        "Which types of event does the catalogue not know?",
        "whodid report unknown-types",
        lambda reader: reader.report("unknown-types", limit=5),
        ("type", "events", "users", "node", "last"),
    ),
)


def show_answers(reader: Reader) -> None:
    """Ask each of `EXAMPLES` and print the answers as small tables."""
    from whodid.reading.terminal import print_table

    for example in EXAMPLES:
        print(f"\n{example.question}\n  $ {example.command}")
        print_table(example.ask(reader).arrow(), columns=example.columns)
    print("\nMore: whodid report, whodid --help")
    sys.stdout.flush()
