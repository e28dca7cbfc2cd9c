"""Times as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from whodid.errors import WhodidError
from whodid.reading.times import instant

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-01", datetime(2026, 11, 1)),
        ("2026-11-01T09:30:00Z", datetime(2026, 11, 1, 9, 30)),
        ("2026-11-01T09:30:00.123456Z", datetime(2026, 11, 1, 9, 30, 0, 123456)),
        ("2026-11-01T09:30", datetime(2026, 11, 1, 9, 30)),
        ("2026-11-01T10:30:00+01:00", datetime(2026, 11, 1, 9, 30)),
        ("2026-11-01T10:30:00 01:00", datetime(2026, 11, 1, 9, 30)),
        ("now", datetime(2026, 11, 20, 12)),
        ("30m", datetime(2026, 11, 20, 11, 30)),
        ("24h", datetime(2026, 11, 19, 12)),
        ("7d", datetime(2026, 11, 13, 12)),
        ("2w", datetime(2026, 11, 6, 12)),
        (timedelta(days=7), datetime(2026, 11, 13, 12)),
        (datetime(2026, 11, 1, 2), datetime(2026, 11, 1, 2)),
        (date(2026, 11, 1), datetime(2026, 11, 1)),
        (datetime(2026, 11, 1, 2, tzinfo=timezone(timedelta(hours=2))), datetime(2026, 11, 1)),
    ],
)
def test_absolute_and_relative_times_become_utc_without_zone(text: str, expected: datetime) -> None:
    assert instant(text, name="since", now=NOW) == expected
    assert instant(text, name="since", now=NOW).tzinfo is None


@pytest.mark.parametrize(
    "text", ["", "yesterday-ish", "7x", "-7d", "2026-13-01", "1' OR 1=1 --", "1601-01-01", "9999-12-31", "999999999w"]
)
def test_anything_else_is_a_clear_error(text: str) -> None:
    with pytest.raises(WhodidError, match="since is") as caught:
        instant(text, name="since", now=NOW)
    assert caught.value.code == "invalid"
