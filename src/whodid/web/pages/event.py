"""One event as people read it: its fields in groups, its things, its parameters, its trace, and the raw JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import pyarrow as pa

from whodid import catalogue
from whodid.reading.cells import encode, python_rows
from whodid.reading.output import rows
from whodid.stores.base import COLUMNS
from whodid.web.pages.changes import Change, changes_of
from whodid.web.pages.links import page_link

# Which columns are told together, in which order; entities, parameters and errors have places of their own.
GROUPS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("What", ("type", "level", "topic", "function", "status", "duration_ms", "description")),
    ("Who", ("user", "acting_for", "via", "session", "request_id", "source")),
    ("From where", ("node", "node_type", "orig_address", "key_id", "format", "routing_key", "receiver", "seq")),
)
_HELP: Final = {column.name: column.help for column in COLUMNS}


class Item(NamedTuple):
    """A field of an event: its meaning, its value, and the page of what it names."""

    name: str
    help: str
    value: Any
    link: str | None


class Shown(NamedTuple):
    """An event, ready for a template; `meaning` is what the catalogue knows of its type."""

    row: dict[str, Any]
    groups: list[tuple[str, list[Item]]]
    entities: list[dict[str, Any]]
    parameters: dict[str, Any]
    changes: list[Change]
    raw: str
    meaning: str


def shown_event(table: pa.Table) -> Shown:
    """The one event of a table of `reading.read.event`."""
    (row,) = python_rows(table)
    parameters = _json(row["parameters"], {})
    entry = catalogue.lookup(row["type"])
    raw = json.loads(encode(rows(table)[0]))
    return Shown(
        row,
        [(title, [_item(name, row) for name in names if row[name] not in (None, "")]) for title, names in GROUPS],
        _json(row["entities"], []),
        parameters if isinstance(parameters, dict) else {},
        changes_of(parameters),
        json.dumps({name: value for name, value in raw.items() if value is not None}, indent=2, ensure_ascii=False),
        entry.meaning if entry else "",
    )


def _item(name: str, row: Mapping[str, Any]) -> Item:
    return Item(name.replace("_", " ").removesuffix(" ms"), _HELP[name], row[name], page_link(name, row[name]))


def _json(text: Any, otherwise: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else otherwise
    except ValueError:
        return otherwise
