"""Captures in the table `capture_rules`, where existing SQL looks for them. Only PostgreSQL has that table."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
from sqlalchemy import text

from whodid.directory import Directory
from whodid.errors import WhodidError
from whodid.policy.capture import Capture
from whodid.policy.pattern import named


def write_row(directory: Directory, capture: Capture, events: int) -> None:
    """Write a capture with how many events it has; nothing where there is no such table."""
    if directory.dialect != "postgresql":
        return
    row = _row(directory, capture, events)
    with directory.writing() as connection:
        connection.execute(text(_statement()), row)


@cache
def _statement() -> str:
    return (files("whodid.policy") / "sql" / "capture_rules.sql").read_text("utf-8")


def _row(directory: Directory, capture: Capture, events: int) -> dict[str, Any]:
    kind, value, name = _subject(directory, capture)
    scopes = {"type": capture.types, "entity": capture.entities, "topic": capture.topics}
    given = {scope: values for scope, values in scopes.items() if values}
    captured = {
        "clicks": not capture.types or named(capture.types, "click"),
        "types": capture.types,
        "entities": capture.entities,
        "topics": capture.topics,
    }
    return {
        "id": capture.id,
        "number": capture.number,
        "name": capture.name,
        "status": "active" if capture.is_running else "ended",
        "started_by": capture.started_by,
        "started_at": _plain(capture.started_at),
        "ends_at": _plain(capture.ends_at),
        "ended_at": _plain(capture.ended_at),
        "ended_by": capture.ended_by,
        "subject_type": kind,
        "subject_value": value,
        "subject_name": name,
        "scope_type": next(iter(given)) if len(given) == 1 else "several" if given else "all",
        "scope_value": ", ".join(each for values in given.values() for each in values) or None,
        "anonymous": capture.anonymous,
        "reason": capture.reason,
        "capture": msgspec.json.encode(captured).decode(),
        "events": events,
        "events_max": capture.events_max,
        "window_minutes": max(1, round((capture.ends_at - capture.started_at).total_seconds() / 60)),
    }


def _subject(directory: Directory, capture: Capture) -> tuple[str, str | None, str | None]:
    """What kind of subject, its id (a user nobody knows yet: the login), and its name."""
    try:
        if capture.user is not None:
            return "user", directory.user(capture.user).id, capture.user
        if capture.group is not None:
            return "group", capture.group, directory.group(capture.group).name
    except WhodidError as error:
        if error.code != "not_found":
            raise
        return ("user", capture.user, capture.user) if capture.user is not None else ("group", capture.group, None)
    return "everyone", None, None


def _plain(moment: datetime | None) -> datetime | None:
    """A time as the table has it: UTC without zone."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment is not None else None
