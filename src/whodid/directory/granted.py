"""Who has which role: grants, and the users that they reach through groups."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, literal_column, select

from whodid.directory import tables
from whodid.directory.model import Grant


def grant_of(row: Any) -> Grant:
    """The Grant of a row of `grant_rows`."""
    fields = {name: getattr(row, name) for name in Grant.__struct_fields__}
    return Grant(**fields | {"projects": tuple(row.projects), "entities": tuple(row.entities)})


def grant_rows() -> Any:
    """All grants, each with the login of its user or the name of its group."""
    grants, groups, users = tables.grants, tables.groups, tables.users
    return (
        select(grants, users.c.login.label("user"), groups.c.name.label("group"))
        .join(groups, groups.c.id == grants.c.group_id, isouter=True)
        .join(users, users.c.id == grants.c.user_id, isouter=True)
    )


def grants_by_login(connection: Connection) -> dict[str, tuple[Grant, ...]]:
    """The grants of each user that has some, through groups within groups too."""
    rows = connection.execute(grant_rows()).all()
    found: dict[str, list[Grant]] = defaultdict(list)
    by_group: dict[str, list[Grant]] = defaultdict(list)
    for row in rows:
        if row.user is not None:
            found[row.user].append(grant_of(row))
        elif row.group is not None:
            by_group[row.group_id].append(grant_of(row))
    if by_group:
        for group_id, login in connection.execute(_members(list(by_group))):
            found[login] += by_group[group_id]
    return {login: tuple(grants) for login, grants in found.items()}


def _members(group_ids: list[str]) -> Any:
    """Pairs of a group and a login that is in it, however deep."""
    relations, users, groups = tables.groups_relations, tables.users, tables.groups
    first = select(groups.c.id.label("top"), groups.c.id.label("id")).where(groups.c.id.in_(group_ids))
    found = first.cte("found", recursive=True)
    # UNION, not UNION ALL: it ends even if foreign SQL has made a circle.
    found = found.union(select(found.c.top, relations.c.child_id).join(found, relations.c.parent_id == found.c.id))
    return select(found.c.top, users.c.login).join(found, users.c.group_id == found.c.id).order_by(literal_column("2"))
