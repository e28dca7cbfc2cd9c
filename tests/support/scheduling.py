"""A schedule, and the files that its runs write."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from support.beside import House
from whodid.schedules.row import NewSchedule

FRIDAY = datetime(2026, 11, 20, 6, 30, tzinfo=UTC)


NASTY = "<script>alert(1)</script>{{ 7*7 }}\r\nBcc: all@example.com"


def weekly(name: str = "weekly", **more: Any) -> NewSchedule:
    """Users, Fridays at 8:00 in Berlin, into the lake unless it says otherwise."""
    given: dict[str, Any] = {
        "name": name, "report": "users", "cron": "0 8 * * FRI", "zone": "Europe/Berlin",
        "parameters": {"since": "7d"}, "to": {"connection": "lake", "path": "reports/users"}, "as_user": None,
    }  # fmt: skip
    return msgspec.convert({**given, **more}, NewSchedule)


def make(house: House, new: NewSchedule) -> None:
    house.beside.schedules.create(new, by="admin", user=None)


def files(tmp_path: Path) -> list[str]:
    return sorted(str(path.relative_to(tmp_path / "lake")) for path in (tmp_path / "lake").rglob("*") if path.is_file())
