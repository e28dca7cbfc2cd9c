"""The setting: days by level, and of sessions; what has none is kept for ever."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct, to_builtins

from whodid.directory import Directory
from whodid.directory.settings import Told
from whodid.errors import WhodidError
from whodid.event import LEVELS, Entity
from whodid.typed import convert

SETTING: Final = "retention"
DAYS_MAX: Final = 36_500


class Retention(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """How many days events of each level, and sessions that have ended, are kept; what is not named for ever."""

    levels: dict[str, int] = {}
    sessions: int | None = None

    @property
    def keeps_all(self) -> bool:
        return not self.levels and self.sessions is None

    def before(self, level: str, at: datetime) -> datetime:
        """Events of the level that happened before this are to go."""
        return at - timedelta(days=self.levels[level])


def retention_of(directory: Directory) -> Retention:
    """What is set."""
    return convert(directory.setting(SETTING) or {}, Retention)


def set_retention(directory: Directory, retention: Retention, *, by: str | None = None) -> Retention:
    """Set it; what is too old goes with the next daily step. Raises WhodidError("invalid")."""
    check(retention)
    before = to_builtins(retention_of(directory))
    told = Told("retention-changed", Entity(type="setting", id=SETTING, name=SETTING), before, to_builtins(retention))
    directory.change_setting(SETTING, None if retention.keeps_all else to_builtins(retention), by=by, told=told)
    return retention


def check(retention: Retention) -> None:
    """Raises WhodidError("invalid") for a level that there is not, or days out of bounds."""
    for level, days in retention.levels.items():
        if level not in LEVELS:
            raise WhodidError("invalid", f"There is no level {level[:50]!r}.", f"Levels: {', '.join(LEVELS)}.")
        _check(level, days)
    if retention.sessions is not None:
        _check("sessions", retention.sessions)


def _check(what: str, days: int) -> None:
    if not 1 <= days <= DAYS_MAX:
        raise WhodidError(
            "invalid", f"{what} is {days:,} days.", f"From 1 to {DAYS_MAX:,}; leave it out for ever.", field=what
        )
