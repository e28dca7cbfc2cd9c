"""Users and groups as CSV: in, row by row with its errors, and out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec import Struct

from whodid.directory.csv_rows import Row, read_csv, written
from whodid.directory.entities import Entities
from whodid.directory.groups import NAME_MAX
from whodid.directory.model import User
from whodid.directory.users import LOGIN_MAX, check_login
from whodid.errors import WhodidError

CELL_MAX: Final = 4_000
PROBLEMS_MAX: Final = 1_000

USER_FIELDS: Final = ("name", "first_name", "last_name", "friendly_name", "email")
USER_COLUMNS: Final = ("login", *USER_FIELDS, "active", "groups")
GROUP_COLUMNS: Final = ("group", "description", "user", "subgroup", "admin")

_YES, _NO = ("yes", "true", "1", "y"), ("no", "false", "0", "n")
# Errors that are not the row's own.
_OF_ALL: Final = ("unavailable", "full", "internal")


class Problem(Struct, kw_only=True, frozen=True):
    """Why a row was refused; `line` is where it ends in the file, counted from 1."""

    line: int
    code: str
    message: str


class Imported(Struct, kw_only=True):
    """What became of a file: rows by what was done (`made`, `changed`, `unchanged`), groups that were made besides, and
    what was refused: all of it counted, the first `PROBLEMS_MAX` told. With `dry_run` nothing was done."""

    dry_run: bool
    made: int = 0
    changed: int = 0
    unchanged: int = 0
    groups_made: int = 0
    refused: int = 0
    problems: list[Problem] = []


def import_users(directory: Entities, data: bytes, *, by: str | None = None, dry_run: bool = False) -> Imported:
    """Make and change the users of a CSV file; nobody is deleted, an empty field leaves what is there.

    data     UTF-8 or UTF-16, with or without byte-order mark, separated by comma, semicolon or tab; the first line
             names the columns: login, and any other of `USER_COLUMNS`. `groups` are names, separated by semicolons;
             those that are not there are made.
    Raises   WhodidError("invalid") when it is no such file, WhodidError("too_large").
    """
    rows = read_csv(data, required=("login",), known=USER_COLUMNS)
    return _taken(rows, _Users(directory, by, dry_run).take, dry_run)


def import_groups(directory: Entities, data: bytes, *, by: str | None = None, dry_run: bool = False) -> Imported:
    """Make the groups of a CSV file and put their members into them; nobody leaves. Columns: `GROUP_COLUMNS`."""
    rows = read_csv(data, required=("group",), known=GROUP_COLUMNS)
    return _taken(rows, _Groups(directory, by, dry_run).take, dry_run)


def export_users(directory: Entities) -> bytes:
    """All users that were made, as `import_users` takes them."""
    rows: list[Sequence[str | None]] = []
    after = ""
    while people := directory.people(after=after):
        groups = directory.groups_by_user([person.user.id for person in people])
        for person in people:
            user = person.user
            names = ";".join(group.name for group in groups.get(user.id, ()))
            fields = [getattr(user, name) for name in USER_FIELDS]
            rows.append((user.login, *fields, "yes" if user.active else "no", names))
        after = people[-1].user.login
    return written(USER_COLUMNS, rows)


def export_groups(directory: Entities) -> bytes:
    """All groups with their direct members, as `import_groups` takes them."""
    rows: list[Sequence[str | None]] = []
    for group in directory.groups():
        members = directory.members(group.id)
        for member in members:
            of = (member.group.name, None) if member.group.personal else (None, member.group.name)
            rows.append((group.name, group.description, *of, "yes" if member.is_admin else "no"))
        if not members:
            rows.append((group.name, group.description, None, None, None))
    return written(GROUP_COLUMNS, rows)


class _Users:
    def __init__(self, directory: Entities, by: str | None, dry_run: bool):
        self.directory, self.by, self.dry_run = directory, by, dry_run
        self.seen: dict[str, str] = {}
        self.groups = _Known(directory, by, dry_run)

    def take(self, row: Row, done: Imported) -> str:
        login = _needed(row, "login", LOGIN_MAX)
        if (before := self.seen.get(login.lower())) is not None:
            raise WhodidError("conflict", f"{login} stands in the file twice (as {before}).")
        self.seen[login.lower()] = login
        fields: dict[str, str | None] = {name: row[name] for name in USER_FIELDS if name in row}
        active, names = _flag(row, "active"), _names(row.get("groups", ""))
        user = self._there(login)
        if user is None:
            check_login(login)
        outcome = "made" if user is None else self._change(user, fields, active)
        if user is None and not self.dry_run:
            user = self.directory.create_user(login, by=self.by, **fields)
            if active is False:
                self.directory.set_active(login, False, by=self.by)
        for name in names:
            done.groups_made += self.groups.make(name)
        joined = self._join(login, names, is_new=outcome == "made")
        return "changed" if outcome == "unchanged" and joined else outcome

    def _there(self, login: str) -> User | None:
        """The user that was made; None when the row would make it."""
        made = self.directory.people(equal={"login": login}, limit=1)
        if made and made[0].user.login != login:
            raise WhodidError("conflict", f"There is a user {made[0].user.login!r} already, who differs only in case.")
        return made[0].user if made else None

    def _change(self, user: User, fields: dict[str, str | None], active: bool | None) -> str:
        changed = {name: value for name, value in fields.items() if getattr(user, name) != value}
        switched = active is not None and active != user.active
        if changed and not self.dry_run:
            self.directory.change_user(user.login, by=self.by, **changed)
        if switched and not self.dry_run:
            self.directory.set_active(user.login, bool(active), by=self.by)
        return "changed" if changed or switched else "unchanged"

    def _join(self, login: str, names: list[str], *, is_new: bool) -> bool:
        if not names:
            return False
        there = set() if is_new and self.dry_run else {group.name for group in self.directory.groups_of(login)}
        missing = [name for name in names if name not in there]
        for name in missing if not self.dry_run else ():
            self.directory.add_member(name, user=login, by=self.by)
        return bool(missing)


class _Groups:
    def __init__(self, directory: Entities, by: str | None, dry_run: bool):
        self.directory, self.by, self.dry_run = directory, by, dry_run
        self.groups = _Known(directory, by, dry_run)

    def take(self, row: Row, done: Imported) -> str:
        name, is_admin = _needed(row, "group", NAME_MAX), _flag(row, "admin")
        user, subgroup = row.get("user"), row.get("subgroup")
        if user and subgroup:
            raise WhodidError("invalid", "A row has one member: a user or a subgroup.")
        if user:
            self.directory.user(user)
        made = self.groups.make(name, row.get("description"))
        if subgroup:
            done.groups_made += self.groups.make(subgroup)
        changed = self._describe(name, row.get("description")) if not made else False
        if user or subgroup:
            changed |= self._put(name, user, subgroup, is_admin)
        return "made" if made else "changed" if changed else "unchanged"

    def _describe(self, name: str, description: str | None) -> bool:
        if description is None or self.groups.planned(name):
            return False
        group = self.directory.group(name)
        if group.description == description:
            return False
        if not self.dry_run:
            self.directory.change_group(group.id, description=description, by=self.by)
        return True

    def _put(self, name: str, user: str | None, subgroup: str | None, is_admin: bool | None) -> bool:
        there = None
        if not self.groups.planned(name):
            wanted = user or subgroup
            for member in self.directory.members(name):
                if member.group.name == wanted and member.group.personal == (user is not None):
                    there = member
        if there is not None and is_admin in (None, there.is_admin):
            return False
        if not self.dry_run:
            self.directory.add_member(name, user=user, subgroup=subgroup, is_admin=bool(is_admin), by=self.by)
        return True


class _Known:
    """Groups that are there, or will be."""

    def __init__(self, directory: Entities, by: str | None, dry_run: bool):
        self.directory, self.by, self.dry_run = directory, by, dry_run
        self.names = {group.name for group in directory.groups()}
        self.made: set[str] = set()

    def make(self, name: str, description: str | None = None) -> bool:
        if name in self.names:
            return False
        if not 1 <= len(name) <= NAME_MAX:
            raise WhodidError("invalid", f"A group's name has 1 to {NAME_MAX} characters.")
        if not self.dry_run:
            self.directory.create_group(name, description=description, by=self.by)
        self.names.add(name)
        self.made.add(name)
        return True

    def planned(self, name: str) -> bool:
        """Whether it would have been made, but nothing is."""
        return self.dry_run and name in self.made


def _taken(rows: Iterable[tuple[int, Row]], take: Callable[[Row, Imported], str], dry_run: bool) -> Imported:
    done = Imported(dry_run=dry_run)
    for line, row in rows:
        try:
            outcome = take(row, done)
        except WhodidError as error:
            if error.code in _OF_ALL:
                raise
            done.refused += 1
            if len(done.problems) < PROBLEMS_MAX:
                done.problems.append(Problem(line=line, code=error.code, message=error.message))
        else:
            setattr(done, outcome, getattr(done, outcome) + 1)
    return done


def _needed(row: Row, name: str, length_max: int) -> str:
    if name not in row:
        raise WhodidError("invalid", f"It has no {name}.")
    for each, value in row.items():
        most = length_max if each == name else CELL_MAX
        if len(value) > most:
            raise WhodidError("invalid", f"{each} has {len(value):,} characters; at most {most:,}.")
    return row[name]


def _flag(row: Row, name: str) -> bool | None:
    text = row.get(name, "").lower()
    if text and text not in (*_YES, *_NO):
        raise WhodidError("invalid", f"{name} is {text[:50]!r}; it is yes or no.")
    return None if not text else text in _YES


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(filter(None, (part.strip() for part in text.split(";")))))
