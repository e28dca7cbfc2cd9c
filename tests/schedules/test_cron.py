"""Cron expressions in time zones, also those that somebody made to do harm."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from whodid.errors import WhodidError
from whodid.schedules import cron


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "zone", "now", "last", "following"),
    [
        ("0 7 * * 1", "UTC", "2026-11-20T12:00:00", "2026-11-16T07:00:00", "2026-11-23T07:00:00"),
        ("0 7 * * 1", "Europe/Berlin", "2026-11-20T12:00:00", "2026-11-16T06:00:00", "2026-11-23T06:00:00"),
        ("*/15 * * * *", "UTC", "2026-11-20T12:15:00", "2026-11-20T12:15:00", "2026-11-20T12:30:00"),
        ("*/15 * * * *", "UTC", "2026-11-20T12:15:00.5", "2026-11-20T12:15:00", "2026-11-20T12:30:00"),
        ("*/15 * * * *", "UTC", "2026-11-20T12:14:59.9", "2026-11-20T12:00:00", "2026-11-20T12:15:00"),
        ("0 6 L * *", "UTC", "2026-11-20T12:00:00", "2026-10-31T06:00:00", "2026-11-30T06:00:00"),
        # Half past two does not come on this night: it is due when the clock jumps over it.
        ("30 2 * * *", "Europe/Berlin", "2026-03-29T00:30:00", "2026-03-28T01:30:00", "2026-03-29T01:00:00"),
        # It comes twice on this one, and is due once.
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:45:00", "2026-10-25T00:30:00", "2026-10-26T01:30:00"),
    ],
)
def test_when_it_was_due_and_will_be(expression: str, zone: str, now: str, last: str, following: str) -> None:
    assert cron.due_until(expression, zone, at(now)) == at(last)
    assert cron.due_after(expression, zone, at(now)) == at(following)


def test_short_names_and_spaces_become_five_fields() -> None:
    assert cron.checked("@daily", "UTC") == "0 0 * * *"
    assert cron.checked("  0   7 * *  MON ", "UTC") == "0 7 * * MON"


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("* * * * * *", "five fields"),
        ("", "five fields"),
        ("* * * *", "five fields"),
        ("0 0 30 2 *", "Bad day-of-month"),
        ("0 0 31 4,6 *", "Bad day-of-month"),
        ("60 * * * *", "Bad minute"),
        ("*/0 * * * *", "Bad minute"),
        ("a b c d e", "Bad minute"),
        ("0 0 * * MON#6", "Bad day-of-week"),
        ("1," * 200 + "1 * * * *", "five fields"),
        ("0 7 * * 1\n0 8 * * 1", "five fields"),
        ("@reboot", "five fields"),
    ],
)
def test_what_is_no_expression_is_told(expression: str, complaint: str) -> None:
    with pytest.raises(WhodidError, match=complaint) as caught:
        cron.checked(expression, "UTC")
    assert caught.value.code == "invalid"


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", ""])
def test_what_is_no_zone_is_told(zone: str) -> None:
    with pytest.raises(WhodidError, match="no time zone"):
        cron.checked("0 7 * * 1", zone)
