"""Settings for a user whom nobody knows are taken, because one may come with its first sign-in, and said to be so."""

from __future__ import annotations

from collections.abc import Iterable

from whodid.directory import Directory


def warning_of(directory: Directory, logins: Iterable[str | None]) -> str | None:
    """What to say of logins that nobody has; None when all are known. Blocks."""
    unknown = directory.unknown_logins(login for login in logins if login)
    if not unknown:
        return None
    names = ", ".join(map(repr, unknown))
    return f"Nobody made a user {names}, and no event names one: right if one will come, else mend it."
