"""Time ranges as people say them: "last 30 days", in the reader's own time zone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from whodid.errors import WhodidError
from whodid.event import TIME_MIN
from whodid.reading.times import instant

SPAN_USUAL: Final = "30d"
ZONE_USUAL: Final = "UTC"


class Span(NamedTuple):
    """From when on, until when (UTC, without zone, as stores hold them), and its words."""

    since: datetime
    until: datetime
    words: str


class Named(NamedTuple):
    """A range with a name: what the address says, what people read, and its two ends from local midnight and now."""

    words: str
    ends: Callable[[datetime, datetime], tuple[datetime, datetime]]


def _days(count: int) -> Callable[[datetime, datetime], tuple[datetime, datetime]]:
    return lambda midnight, now: (midnight - timedelta(days=count - 1), now)


def _last_month(midnight: datetime, _now: datetime) -> tuple[datetime, datetime]:
    end = midnight.replace(day=1)
    return (end - timedelta(days=1)).replace(day=1), end


RANGES: Final[dict[str, Named]] = {
    "1h": Named("Last hour", lambda _, now: (now - timedelta(hours=1), now)),
    "24h": Named("Last 24 hours", lambda _, now: (now - timedelta(hours=24), now)),
    "today": Named("Today", _days(1)),
    "yesterday": Named("Yesterday", lambda midnight, _: (midnight - timedelta(days=1), midnight)),
    "7d": Named("Last 7 days", _days(7)),
    "30d": Named("Last 30 days", _days(30)),
    "90d": Named("Last 90 days", _days(90)),
    "365d": Named("Last 12 months", _days(365)),
    "this-month": Named("This month", lambda midnight, now: (midnight.replace(day=1), now)),
    "last-month": Named("Last month", _last_month),
    "all": Named("All time", lambda _, now: (TIME_MIN, now)),
}
# Ranges whose beginning moves with the clock. A search says them in the same words: its pages share one filter then.
MOVING: Final = ("1h", "24h")


def zone_of(name: str | None) -> str:
    """The time zone of this name, or UTC when there is none such."""
    return name if name in _zones() else ZONE_USUAL


def span_of(name: str, zone: str, *, since: str = "", until: str = "", now: datetime | None = None) -> Span:
    """The range `name` in a time zone, or the one from `since` until `until` when either is given.

    Raises
    ------
    WhodidError("invalid")
        A time cannot be read, or there is no such range.
    """
    at = (now or datetime.now(UTC)).astimezone(ZoneInfo(zone))
    if since or until:
        begin = _read(since, "since", at) if since else _plain(at - timedelta(days=30))
        end = _read(until, "until", at) if until else _plain(at)
        return Span(begin, end, _from_until(begin, end, zone))
    if name not in RANGES:
        raise WhodidError(
            "invalid", f"There is no range {name[:50]!r}.", f"Ranges: {', '.join(RANGES)}.", field="range"
        )
    named = RANGES[name]
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    begin, end = (_plain(moment) for moment in named.ends(midnight, at))
    return Span(begin, end, named.words)


def end_of_day(zone: str) -> datetime:
    """When the day that is today in a time zone ends (UTC, without zone)."""
    midnight = datetime.now(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    return _plain(midnight + timedelta(days=1))


def day_words(since: datetime, until: datetime, zone: str) -> str:
    """The days of a span as people write them: 21 Oct – 20 Nov 2026."""
    first, last = (_local(moment, zone) for moment in (since, max(since, until - timedelta(microseconds=1))))
    if first.year <= TIME_MIN.year:
        return f"until {last:%-d %b %Y}"
    if first.date() == last.date():
        return f"{last:%-d %b %Y}"
    same_year = first.year == last.year
    return f"{first:%-d %b} – {last:%-d %b %Y}" if same_year else f"{first:%-d %b %Y} – {last:%-d %b %Y}"


def _from_until(begin: datetime, end: datetime, zone: str) -> str:
    first, last = _local(begin, zone), _local(end, zone)
    if last - first >= timedelta(days=2):
        return day_words(begin, end, zone)
    return f"{first:%-d %b %Y %H:%M} – {last:%-d %b %H:%M}"


def _read(text: str, name: str, at: datetime) -> datetime:
    """Times without zone in an address of a page are the reader's own."""
    try:
        own = datetime.fromisoformat(text)
    except ValueError:
        return instant(text, name=name)
    return instant(own.replace(tzinfo=at.tzinfo) if own.tzinfo is None else own, name=name)


def _plain(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _local(moment: datetime, zone: str) -> datetime:
    return moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))


def _zones() -> set[str]:
    if not _known:
        _known.update(available_timezones())
    return _known


_known: set[str] = set()
