"""One run of a schedule: the report with its user's rights, then into its connection or by mail."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NamedTuple

from whodid import reports
from whodid.datasets.connections import Connections
from whodid.delivery import mail as mails
from whodid.delivery.call import Call
from whodid.delivery.settings import Outlets
from whodid.directory import Directory
from whodid.errors import WhodidError
from whodid.places import Place
from whodid.reading.output import FORMATS
from whodid.reports import Reported
from whodid.schedules.compose import file_of, mail_of
from whodid.schedules.rights import standing_of
from whodid.schedules.row import Schedule, asked_at, period_of
from whodid.stores.base import Store

REPORT_MS_MAX: Final = 300_000
_NAMES_MAX: Final = 50
_TIME: Final = "%Y%m%dT%H%M%SZ"


class Parts(NamedTuple):
    """What a run works with."""

    store: Store
    directory: Directory
    connections: Connections
    outlets: Outlets
    clock: Callable[[], datetime]


class Made(NamedTuple):
    """A report that was run, and what it was asked with."""

    answer: Reported
    asked: dict[str, Any]


def made(parts: Parts, schedule: Schedule, due: datetime) -> Made:
    """The report as of the time that it was due, as its user sees it. Raises as `reports.run` and `standing_of`."""
    standing = standing_of(parts.directory, schedule.as_user)
    if schedule.to.connection:
        parts.connections.require_use(schedule.to.connection, schedule.as_user, is_admin=standing.is_admin)
    asked = asked_at(schedule, due)
    answer = reports.run(
        parts.store,
        schedule.report,
        directory=parts.directory,
        sight=standing.sight,
        timeout_ms=REPORT_MS_MAX,
        **asked,
    )
    return Made(answer, asked)


def run(parts: Parts, schedule: Schedule, due: datetime, on_call: Callable[[Call], object]) -> dict[str, Any]:
    """Run it and deliver; what was delivered, and where. Raises WhodidError."""
    found = made(parts, schedule, due)
    told = _rows_of(found)
    if schedule.to.connection:
        data = file_of(found.answer, schedule.format)
        place = parts.connections.open(schedule.to.connection)
        try:
            path = _put(place, path_of(schedule, found.asked, due), data)
        finally:
            place.close()
        return {**told, "bytes": len(data), "to": f"{schedule.to.connection}:{path}"}
    server = parts.outlets.mail()
    mail = mail_of(schedule, found.answer, found.asked, due)
    mails.send(server, mail, schedule.to.mail, parts.clock(), on_call=on_call)
    size = sum(len(file.data) for file in mail.attachments)
    return {**told, "bytes": size, "to": ", ".join(schedule.to.mail), "picture": bool(mail.pictures)}


def dry_run(parts: Parts, schedule: Schedule, due: datetime) -> dict[str, Any]:
    """What a run would deliver; nothing leaves."""
    found = made(parts, schedule, due)
    told = {"due": due, **_rows_of(found), "asked": found.asked}
    if schedule.to.connection:
        path = path_of(schedule, found.asked, due)
        return {**told, "bytes": len(file_of(found.answer, schedule.format)), "to": f"{schedule.to.connection}:{path}"}
    mail = mail_of(schedule, found.answer, found.asked, due)
    more = {"subject": mail.subject, "text": mail.text, "picture": bool(mail.pictures)}
    return {**told, "to": ", ".join(schedule.to.mail), **more}


def _rows_of(found: Made) -> dict[str, Any]:
    answer = found.answer
    return {"rows": answer.table.num_rows, "total": answer.total, "truncated": answer.truncated}


def path_of(schedule: Schedule, asked: dict[str, Any], due: datetime) -> str:
    """Where its file goes: its name holds the period that it tells of."""
    begin, end = period_of(asked, due)
    name = f"{schedule.name}_{begin:{_TIME}}_{end:{_TIME}}{FORMATS[schedule.format].suffix}"
    return "/".join([*(part for part in schedule.to.path.split("/") if part not in ("", ".")), name])


def _put(place: Place, path: str, data: bytes) -> str:
    """Write a file beside those that are there; where the same one is there already it is that. Its path."""
    stem, dot, suffix = path.rpartition(".")
    for number in range(1, _NAMES_MAX + 1):
        name = path if number == 1 else f"{stem}-{number}{dot}{suffix}"
        try:
            place.write(name, data)
        except WhodidError as error:
            if error.code != "conflict":
                raise
            if _is_there(place, name, data):
                return name
        else:
            return name
    raise WhodidError("conflict", f"{place.url} holds {_NAMES_MAX} files of the name {path} already.", "Look at them.")


def _is_there(place: Place, path: str, data: bytes) -> bool:
    """Whether this is what an attempt wrote that was broken off before it could say so."""
    try:
        with place.open(path) as stream:
            return stream.read(len(data) + 1) == data
    except OSError:
        return False
