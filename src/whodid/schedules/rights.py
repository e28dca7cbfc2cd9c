"""Whose rights a schedule has: those that its user has when it runs."""

from __future__ import annotations

from typing import NamedTuple

from whodid.directory import Directory
from whodid.errors import WhodidError
from whodid.reading.sight import EVERYTHING, NOTHING, Sight
from whodid.receive.rights import rights_of


class Standing(NamedTuple):
    """What may be told, and whether every connection may be used."""

    sight: Sight
    is_admin: bool


def standing_of(directory: Directory, login: str | None) -> Standing:
    """The standing of a user; nobody in particular sees everything, which only administrators can set.

    Raises
    ------
    WhodidError("not_found")
        There is no such user.
    WhodidError("forbidden")
        It was deactivated, or may see nothing.
    """
    if login is None:
        return Standing(EVERYTHING, True)
    user = directory.user(login)
    rights = rights_of(user.login, directory.roles_of(user.login))
    sight = EVERYTHING if "read" in rights.scopes else rights.limited
    if not user.active or sight == NOTHING:
        why = "was deactivated" if not user.active else "may see nothing of the audit"
        raise WhodidError(
            "forbidden", f"{login} {why}.", "Give a role, or let it run as somebody else.", field="as_user"
        )
    return Standing(sight, "admin" in rights.scopes)
