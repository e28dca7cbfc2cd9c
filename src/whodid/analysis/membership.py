"""Who is in which group, for analyses that count by group."""

from __future__ import annotations

from typing import Any


def groups_by_login(directory: Any) -> dict[str, list[str]]:
    """The groups of each login, through groups within groups; nobody's without a directory."""
    found: dict[str, list[str]] = {}
    if not hasattr(directory, "groups"):
        return found
    for group in directory.groups():
        for login in directory.group_logins(group.name):
            found.setdefault(login, []).append(group.name)
    return found


def logins_of(directory: Any, names: list[str]) -> set[str]:
    """All logins in the groups of these names. Raises WhodidError("not_found")."""
    return {login for name in names for login in directory.group_logins(name)} if names and directory else set()
