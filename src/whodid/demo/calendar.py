"""When people work: time zones, weekends, holidays, leave, and how a day's hours run."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final, NamedTuple

SATURDAY: Final = 5


class Office(NamedTuple):
    """A place of work; `offset_h` is its clock's distance from UTC in winter, `summer` whose rule for summer time."""

    name: str
    offset_h: float
    summer: str
    holidays: frozenset[str]
    address: str


def utc_offset_h(office: Office, day: date) -> float:
    """Hours that the office's clock is ahead of UTC on that day."""
    return office.offset_h + (1.0 if _is_summer(office.summer, day) else 0.0)


def is_working_day(office: Office, day: date) -> bool:
    """Neither a weekend nor a holiday of the office's country."""
    return day.weekday() < SATURDAY and f"{day:%m-%d}" not in office.holidays


def _is_summer(rule: str, day: date) -> bool:
    if rule == "EU":
        return _last_sunday(day.year, 3) <= day < _last_sunday(day.year, 10)
    if rule == "US":
        return _first_sunday(day.year, 3) + timedelta(days=7) <= day < _first_sunday(day.year, 11)
    return False


def _first_sunday(year: int, month: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=6 - first.weekday())


def _last_sunday(year: int, month: int) -> date:
    last = date(year, month + 1, 1) - timedelta(days=1)
    return last - timedelta(days=(last.weekday() + 1) % 7)
