"""People and groups that clients introduce, for the directory.

A key that may write events is no administrator's: what an administrator made, nobody changes here. A user that was made
keeps its names, and a group that was not made here gets no member. The events that told are kept in any case.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from whodid.directory import Directory
from whodid.directory.users import LOGIN_MAX
from whodid.errors import WhodidError
from whodid.receive.clients.base import Person
from whodid.receive.clients.native import Told, text_of
from whodid.stores.base import Mentions, SeenUser

# Marks the groups that were made here.
DESCRIPTION: Final = "Told by clients that send events."

TEXT_MAX: Final = 1_000

# Fields of a user, and the names that clients give them.
TRAITS: Final = (
    ("first_name", ("firstName", "first_name", "givenName")),
    ("last_name", ("lastName", "last_name", "familyName")),
    ("friendly_name", ("name", "displayName", "fullName")),
    ("email", ("email",)),
    ("picture", ("avatar", "picture")),
)

_log = logging.getLogger("whodid.receive")


def learn(directory: Directory, people: Sequence[Person], at: datetime, by: str) -> None:
    """Tell the directory of people, in the name of `by`. Blocks.

    What the directory does not take is logged: the events that told of it are on disk already.
    """
    for person in people:
        if not 1 <= len(person.login) <= LOGIN_MAX:
            continue
        try:
            _learn_one(directory, person, at, by)
        except WhodidError as error:
            _log.warning("The directory did not take what a client told of %r: %s", person.login, error.message)


def described(told: Told) -> dict[str, str]:
    """What the directory can hold of the traits that a client tells of a person."""
    found = {}
    for field, names in TRAITS:
        text = next((text for name in names if (text := text_of(told.get(name)))), None)
        if text is not None:
            found[field] = text[:TEXT_MAX]
    return found


def _learn_one(directory: Directory, person: Person, at: datetime, by: str) -> None:
    directory.observe(Mentions(users=[SeenUser(first=at, last=at, login=person.login)]))
    user = directory.user(person.login)
    changed: dict[str, str | None] = {
        name: value for name, value in person.fields.items() if value and getattr(user, name) != value
    }
    if changed and not user.made:
        directory.change_user(person.login, by=by, **changed)
    for name in person.groups:
        _join(directory, person, name, by)


def _join(directory: Directory, person: Person, name: str, by: str) -> None:
    shown = person.group_names.get(name)
    try:
        group = directory.group(name)
    except WhodidError as error:
        if error.code != "not_found":
            raise
        group = directory.create_group(name, friendly_name=shown, description=DESCRIPTION, by=by)
    if group.description != DESCRIPTION:
        return
    if shown and group.friendly_name != shown:
        directory.change_group(group.id, friendly_name=shown, by=by)
    if all(member.name != name for member in directory.groups_of(person.login)):
        directory.add_member(group.id, user=person.login, by=by)
