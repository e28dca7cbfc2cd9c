"""When something is due: cron expressions in a time zone, as Debian's cron understands them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from cronsim import CronSim, CronSimError

from whodid.errors import WhodidError
from whodid.reports.common import zone_of

LENGTH_MAX: Final = 200
_NICKNAMES: Final = {
    "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@weekly": "0 0 * * 1", "@monthly": "0 0 1 * *",
}  # fmt: skip


def checked(cron: str, zone: str) -> str:
    """The expression in five fields.

    Raises
    ------
    WhodidError("invalid")
        It is none, names a date that never comes, or the zone is none.
    """
    zone_of(zone)
    expression = " ".join(_NICKNAMES.get(cron.strip().lower(), cron).split())
    fields = expression.split(" ")
    if len(fields) != 5 or len(expression) > LENGTH_MAX:
        raise WhodidError(
            "invalid",
            f"{cron[:100]!r} is no cron expression: it has five fields.",
            "Minute, hour, day, month, weekday: 0 7 * * 1 is Mondays at 7:00. Or @hourly, @daily, @weekly, @monthly.",
            field="cron",
        )
    try:
        next(CronSim(expression, datetime.now(UTC)))
    except CronSimError as error:
        raise WhodidError(
            "invalid",
            f"{cron[:100]!r} is no cron expression: {error}.",
            "Minute, hour, day, month, weekday.",
            field="cron",
        ) from None
    except StopIteration:
        raise WhodidError(
            "invalid", f"{cron[:100]!r} names a date that never comes.", "Look at day and month.", field="cron"
        ) from None
    return expression


def due_after(cron: str, zone: str, at: datetime) -> datetime:
    """The first time behind `at` at which it is due, in UTC."""
    return next(CronSim(cron, at.astimezone(zone_of(zone)))).astimezone(UTC)


def due_until(cron: str, zone: str, at: datetime) -> datetime:
    """The last time up to and with `at` at which it was due, in UTC."""
    behind = (at + timedelta(seconds=1)).replace(microsecond=0)
    return next(CronSim(cron, behind.astimezone(zone_of(zone)), reverse=True)).astimezone(UTC)
