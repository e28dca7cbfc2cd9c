"""Who is in which group, as the rows that a report joins with."""

from __future__ import annotations

from typing import Any

from whodid.reading.selection import Groups


def memberships(directory: Groups | None) -> list[tuple[str, str]]:
    """Group and login of every member, through groups within groups; in order. Nothing without a directory."""
    if directory is None:
        return []
    known: Any = directory
    names = [group.name for group in known.groups()]
    return sorted({(name, login) for name in names for login in directory.group_logins(name)})
