"""Reports on the demo's story, and their rows as plain values to compare."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from support.batches import Batches
from support.story import END
from whodid import demo, reports
from whodid.errors import WhodidError
from whodid.event import Event
from whodid.plugins import STORES, load
from whodid.reports.report import Column, Report
from whodid.stores.base import Store

STORY: Final[dict[str, int]] = {"events": 6_000, "days": 60, "seed": 11}
SPAN: Final[dict[str, Any]] = {"since": END - timedelta(days=20), "until": END}

# What some reports have to be asked with.
ASKED: Final[dict[str, dict[str, Any]]] = {
    "origin": {"entity": "dataset:SALES.orders_clean", "since": END - timedelta(days=60)},
    "origin-things": {"entity": "dataset:SALES.orders_clean", "since": END - timedelta(days=60)},
    "entity-history": {"entities": ["dataset:SALES.orders_clean"]},
    "entity-users": {"entities": ["dataset:SALES.orders_clean"]},
    "retention": {"since": END - timedelta(days=84)},
    "returning-users": {"cohort": END - timedelta(days=58)},
}


class _Named(NamedTuple):
    name: str


class Memberships:
    """The directory of the story: its groups and who is in them."""

    def __init__(self, members: Mapping[str, list[str]]):
        self._members = members

    def groups(self) -> list[_Named]:
        return [_Named(name) for name in sorted(self._members)]

    def group_logins(self, name: str) -> list[str]:
        if name not in self._members:
            raise WhodidError("not_found", f"There is no group {name!r}.")
        return self._members[name]


def story_memberships() -> Memberships:
    """The story's groups, each with the members of the groups within it."""
    groups = demo.groups(**STORY)

    def members(name: str) -> set[str]:
        own = {login for group in groups if group.name == name for login in group.members}
        return own.union(*(members(group.name) for group in groups if group.parent == name))

    return Memberships({group.name: sorted(members(group.name)) for group in groups})


def asked(store: Store, report: Report, memberships: Memberships, **given: Any) -> reports.Reported:
    """The report for the story's span and what it has to be asked with, unless `given` says otherwise."""
    return reports.run(store, report.name, directory=memberships, **{**SPAN, **ASKED.get(report.name, {}), **given})


def plain_rows(answer: reports.Reported, report: Report) -> list[dict[str, Any]]:
    """Rows as values that are equal where stores mean the same: numbers to nine digits, JSON as values."""
    columns = {column.name: column for column in report.columns}
    return [{name: _plain(value, columns[name]) for name, value in row.items()} for row in answer.table.to_pylist()]


def _plain(value: Any, column: Column) -> Any:
    if value is None:
        return None
    if column.type == "json":
        return _json(value)
    if column.type in ("integer", "number"):
        return float(f"{float(value):.9g}")
    return str(value)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def at(day: int, hour: float = 9.0, seconds: float = 0.0) -> datetime:
    """A time on a day of November 2026 (UTC); the 2nd, 9th, 16th and 23rd are Mondays."""
    return datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=day - 1, hours=hour, seconds=seconds)


class Desk:
    """A store of hand-made events, asked for reports of November 2026 (the 1st to the 21st) unless said otherwise."""

    def __init__(self, folder: Path, memberships: Memberships | None = None):
        self._batches = Batches(folder / "journal")
        self._memberships = memberships or Memberships({})
        self.store: Store = load(STORES, "duckdb")(folder / "events.duckdb", journal_path=folder / "journal")

    def put(self, *events: Event) -> None:
        self.store.write([self._batches.of(events)])

    def rows(self, name: str, **given: Any) -> list[dict[str, Any]]:
        """The rows of a report."""
        return [dict(row) for row in self.answer(name, **given).table.to_pylist()]

    def row(self, name: str, **given: Any) -> dict[str, Any]:
        """The only row of a report."""
        (row,) = self.rows(name, **given)
        return row

    def answer(self, name: str, **given: Any) -> reports.Reported:
        span = {"since": at(1, 0), "until": at(21, 0)}
        return reports.run(self.store, name, directory=self._memberships, **(span | given))
