"""What is said of a schedule: the row, and whether it makes sense."""

from __future__ import annotations

from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from whodid import reports
from whodid.delivery.mail import RECIPIENTS_MAX, checked_address
from whodid.delivery.settings import check_name
from whodid.errors import WhodidError, about
from whodid.reading.times import instant
from whodid.reports.values import NAMED_TIMES
from whodid.schedules import cron as crons
from whodid.typed import convert

SETTING: Final = "schedule/"
VALUES_MAX: Final = 100
LENGTH_MAX: Final = 1_000

Format = Literal["csv", "parquet", "none"]
Parameters = dict[str, str | int | float | list[str]]


class Destination(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where a report goes: below `path` of a connection, or to addresses by mail; one of both."""

    connection: str = ""
    path: str = ""
    mail: list[str] = []


class Schedule(Struct, kw_only=True, frozen=True):
    """A report again and again.

    cron, zone   when: five fields, in a time zone.
    format       of the file; in a mail that of a file that goes along, `none` for a mail without one.
    as_user      whose rights count: the report tells what this user may see, and no more. None: everything.
    since        what was due before it is not made up for: when it was made, changed or resumed.
    """

    name: str
    report: str
    parameters: Parameters = {}
    cron: str
    zone: str = "UTC"
    to: Destination
    format: Format = "csv"
    enabled: bool = True
    as_user: str | None = None
    description: str | None = None
    since: datetime
    created_at: datetime
    created_by: str | None = None


class NewSchedule(Struct, kw_only=True, forbid_unknown_fields=True):
    """What is given to make one. `as_user` left out is who makes it; null, which sees everything, has to be said."""

    name: str
    report: str
    cron: str
    to: Destination
    parameters: Parameters = {}
    zone: str = "UTC"
    format: Format | UnsetType = UNSET
    enabled: bool = True
    as_user: str | UnsetType | None = UNSET
    description: str | None = None


class ScheduleFields(Struct, kw_only=True, forbid_unknown_fields=True):
    """What is to change; what is left out stays."""

    report: str | UnsetType = UNSET
    cron: str | UnsetType = UNSET
    to: Destination | UnsetType = UNSET
    parameters: Parameters | UnsetType = UNSET
    zone: str | UnsetType = UNSET
    format: Format | UnsetType = UNSET
    as_user: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET


def schedule_of(value: Any) -> Schedule:
    """The schedule of a setting's value."""
    return convert(value, Schedule)


def checked(schedule: Schedule) -> Schedule:
    """The schedule with its cron expression in five fields.

    Raises
    ------
    WhodidError("invalid")
        Something makes no sense; the message says what.
    WhodidError("not_found")
        There is no such report.
    """
    check_name("a schedule", schedule.name)
    _check_destination(schedule.to, schedule.format)
    asked_at(schedule, schedule.created_at)
    return msgspec.structs.replace(schedule, cron=crons.checked(schedule.cron, schedule.zone))


def asked_at(schedule: Schedule, due: datetime) -> dict[str, Any]:
    """What the report is asked with when the schedule is due: its times are seen from then, however late it runs.

    Raises
    ------
    WhodidError("invalid")
        The report has no such parameter, or a time makes no sense.
    """
    chosen = reports.report(schedule.report)
    known = {parameter.name: parameter for parameter in chosen.parameters if not parameter.is_derived}
    _check_parameters(schedule, known)
    asked: dict[str, Any] = dict(schedule.parameters)
    if "zone" in known:
        asked.setdefault("zone", schedule.zone)
    for name, parameter in known.items():
        text = asked.get(name, parameter.default)
        if parameter.type == "time" and str(text) not in NAMED_TIMES:
            asked[name] = instant(str(text), name=name, now=due).isoformat()
    return asked


def period_of(asked: dict[str, Any], due: datetime) -> tuple[datetime, datetime]:
    """From when until when the report tells, in UTC without zone."""
    end = datetime.fromisoformat(asked["until"]) if "until" in asked else due.replace(tzinfo=None)
    begin = datetime.fromisoformat(asked["since"]) if "since" in asked else end
    return begin, end


def _check_parameters(schedule: Schedule, known: dict[str, Any]) -> None:
    for name, value in schedule.parameters.items():
        if name not in known:
            raise WhodidError(
                "invalid",
                f"{schedule.report} has no parameter {name[:100]!r}.",
                f"It has: {', '.join(known)}.",
                field="parameters",
            )
        values = value if isinstance(value, list) else [value]
        if len(values) > VALUES_MAX or any(len(str(one)) > LENGTH_MAX for one in values):
            raise WhodidError(
                "invalid",
                f"{name} says too much.",
                f"At most {VALUES_MAX} values of {LENGTH_MAX:,}.",
                field="parameters",
            )


def _check_destination(to: Destination, form: str) -> None:
    if bool(to.connection) == bool(to.mail):
        raise WhodidError(
            "invalid",
            "A report goes to a connection or by mail.",
            "Name one of them; for both make two schedules.",
            field="connection",
        )
    if to.mail and (len(to.mail) > RECIPIENTS_MAX or to.path):
        raise WhodidError("invalid", f"Mail goes to {RECIPIENTS_MAX} addresses at most, and has no path.", field="mail")
    for address in to.mail:
        with about("mail"):
            checked_address(address)
    if to.connection and form == "none":
        raise WhodidError("invalid", "A file needs a format.", "It is one of: csv, parquet.", field="format")
    parts = PurePosixPath(to.path).parts
    if to.path.startswith("/") or ".." in parts or len(to.path) > 500 or not to.path.isprintable():
        raise WhodidError(
            "invalid",
            f"The path is {to.path[:100]!r}.",
            "Name a folder below the connection: reports/2026",
            field="path",
        )
