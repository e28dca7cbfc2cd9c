"""Answers of tiles: a report asked with a page's choice, and remembered for a moment."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Coroutine, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import ceil, inf
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from whodid import reports
from whodid.reading.cells import python_rows
from whodid.reading.filters import NOT, literal
from whodid.reading.sight import Sight
from whodid.reading.times import instant
from whodid.reports import Report, Reported
from whodid.web.pages.choice import COMMON, FIELDS, Choice
from whodid.web.pages.rows import Tile
from whodid.web.requests import Req, caller_of, services_of
from whodid.web.services import Services

_FILTERS: Final = frozenset(field.parameter for field in COMMON)
# An answer is remembered for so long, or for so many times as long as it took to work out, up to a minute: what is slow
# is worked out once for all who look at it, what is quick is fresh.
REMEMBERED_S: Final = 10.0
REMEMBERED_TIMES: Final = 10
REMEMBERED_S_MAX: Final = 60.0
REMEMBERED_MAX: Final = 256
# A range that ends now ends at the next full step instead, so that people who look together share an answer; a long one
# with the hour, so that what is counted by the hour tells all of it.
_STEP: Final = timedelta(seconds=10)
_LONG_STEP: Final = timedelta(hours=1)
_LONG: Final = timedelta(days=14)
# A time of no more than that is told by the hour, where a tile does not say otherwise.
_HOURLY_MAX: Final = timedelta(days=2)
# Parameters that leave out what takes long, and the columns or measures that a tile then cannot show.
_COSTLY: Final = {
    "sessions": ("sessions",),
    "windows": tuple(f"active users, last {span}" for span in ("day", "7 days", "30 days")),
}


class Answer(NamedTuple):
    """A report's rows and how many there are in all; `ignored` are conditions that the report does not take.

    `before` are the rows of the time before, which began so many `days` earlier.
    """

    report: Report
    rows: list[dict[str, Any]]
    of: int
    truncated: bool
    ignored: list[str]
    before: Sequence[dict[str, Any]] = ()
    days: int = 0


class _Kept:
    """An answer that is worked out, or was until some moments ago."""

    def __init__(self, working: Coroutine[Any, Any, Answer]):
        self._began = time.monotonic()
        self._ends = inf
        self.answer: asyncio.Future[Answer] = asyncio.ensure_future(working)
        self.answer.add_done_callback(self._done)

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self._ends

    def _done(self, answer: asyncio.Future[Answer]) -> None:
        now = time.monotonic()
        taken_s = now - self._began
        self._ends = now + min(REMEMBERED_S_MAX, max(REMEMBERED_S, REMEMBERED_TIMES * taken_s))
        if not answer.cancelled():
            answer.exception()


class Memory:
    """The answers of the last moments; who asks the same while it is worked out waits for it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Any, _Kept] = OrderedDict()

    async def answer(
        self,
        services: Services,
        name: str,
        given: Mapping[str, Any],
        ignored: list[str],
        sight: Sight,
        *,
        moving: str = "",
    ) -> Answer:
        """The rows of a report, made of what `sight` may see. Raises as `reports.run`.

        `moving` names a range of time that ends now: those who ask for the same one share an answer.
        """
        asked = {name: value for name, value in given.items() if not moving or name not in ("since", "until")}
        key = (name, moving, repr(sorted(asked.items())), sight)
        kept = self._kept.get(key)
        if kept is None or kept.is_over:
            kept = self._kept[key] = _Kept(_run(services, name, given, ignored, sight))
            while len(self._kept) > REMEMBERED_MAX:
                self._kept.popitem(last=False)
        try:
            return await asyncio.shield(kept.answer)
        except BaseException:
            if self._kept.get(key) is kept:
                del self._kept[key]
            raise


def parameters(report: Report, tile: Tile, choice: Choice, subject: Mapping[str, str], rows: int = 0) -> dict[str, Any]:
    """The parameters of a tile's report, of those that the report takes; `rows` at most, if that is said."""
    span = choice.span()
    until = span.until
    if choice.range != "all" and not choice.until and until.microsecond:
        until = full_step(span.since, until)
    given: dict[str, Any] = {"since": span.since, "until": until, "zone": choice.zone}
    given |= {field.parameter: list(choice.of(field.name)) for field in COMMON if choice.of(field.name)}
    for name, value in tile.parameters:
        text = value.format_map(_Literal(subject))
        given[name] = filtered(given.get(name, []), value, text) if name in _FILTERS else text
        if name == "since":
            given[name] = instant(text, name=name, now=until.replace(tzinfo=UTC))
    if rows:
        given["limit"] = rows
    if by_the_hour(report, tile, choice):
        given["by"] = "hour"
    given |= {name: "no" for name, shown in _COSTLY.items() if not any(_shows(report, tile, one) for one in shown)}
    asked = {parameter.name for parameter in report.parameters if not parameter.is_derived}
    return {name: value for name, value in given.items() if name in asked}


def by_the_hour(report: Report, tile: Tile, choice: Choice) -> bool:
    """Whether a tile tells of hours instead of days, because the time is short."""
    span = choice.span()
    is_said = any(name in ("by", "since") for name, _ in tile.parameters)
    has_hours = any(one.name == "by" and {"hour", "day"} <= {*one.choices} for one in report.parameters)
    return has_hours and not is_said and span.until - span.since <= _HOURLY_MAX


def period_of(report: Report, tile: Tile, choice: Choice) -> str:
    """How long a period is of which each row of a tile tells; empty where its rows tell of something else."""
    usual = next((one.default for one in report.parameters if one.name == "by" and "hour" in one.choices), "")
    return "hour" if by_the_hour(report, tile, choice) else dict(tile.parameters).get("by", usual) if usual else ""


def full_step(since: datetime, until: datetime) -> datetime:
    """When a range that ends at this moment ends instead (UTC, without zone)."""
    step = _STEP if until - since < _LONG else _LONG_STEP
    return until + step - (until - datetime.min) % step


def _shows(report: Report, tile: Tile, name: str) -> bool:
    """Whether a tile shows a column, or a measure, of its report."""
    if tile.form == "chart":
        return name in (tile.chart or " ".join((report.chart.encodings if report.chart else {}).values()))
    return name in tile.columns or not tile.columns


def filtered(chosen: Sequence[str], value: str, text: str) -> list[str]:
    """What a filter is told: the thing that the page is about, else the tile's patterns."""
    if "{" in value:
        return [literal(text)]
    patterns = value.split()
    return [*chosen, *patterns] if all(one.startswith(NOT) for one in patterns) else patterns


def days_before(since: datetime, until: datetime) -> int:
    """How much earlier the time before began: whole weeks for long times, so that workdays lie on workdays."""
    # A range that ends now may have been made longer by a step.
    days = max(1, ceil((until - since - _LONG_STEP) / timedelta(days=1)))
    return days if days < 7 else ceil(days / 7) * 7


def ignored(report: Report, choice: Choice) -> list[str]:
    """Conditions of a choice that a report does not take, by their labels."""
    asked = {parameter.name for parameter in report.parameters}
    return [field.label.lower() for field in FIELDS if choice.of(field.name) and field.parameter not in asked]


async def ask(request: Req, tile: Tile, choice: Choice, subject: Mapping[str, str], rows: int = 0) -> Answer:
    """The answer of a tile, of `rows` at most if that is said; with the time before where the tile shows that too."""
    services, sight = services_of(request), caller_of(request).sight
    memory: Memory = request.app.state.answers
    report = reports.report(tile.report)
    given = parameters(report, tile, choice, subject, rows)
    moving = choice.range if choice.range != "all" and not (choice.since or choice.until) else ""
    # A tile that says itself since when is asked from a moment of its own.
    moving = "" if any(name in ("since", "until") for name, _ in tile.parameters) else moving
    answer = await memory.answer(services, tile.report, given, ignored(report, choice), sight, moving=moving)
    if tile.previous and choice.range != "all":
        days = days_before(given["since"], given["until"])
        shift = timedelta(days=days)
        shifted = {**given, "since": given["since"] - shift, "until": given["until"] - shift}
        moving = moving and f"before {moving}"
        before = await memory.answer(services, tile.report, shifted, [], sight, moving=moving)
        answer = answer._replace(before=before.rows, days=days)
    return answer


async def _run(services: Services, name: str, given: Mapping[str, Any], left_out: list[str], sight: Sight) -> Answer:
    found = await services.call(_rows, services, name, given, sight)
    reported, rows = found
    report = reports.report(name)
    if given.get("sessions") == "no":
        report = replace(report, columns=[column for column in report.columns if column.name != "sessions"])
    return Answer(
        report,
        rows,
        len(rows) if reported.total is None else reported.total,
        reported.truncated,
        left_out,
    )


def _rows(
    services: Services, name: str, given: Mapping[str, Any], sight: Sight
) -> tuple[Reported, list[dict[str, Any]]]:
    timeout_ms = services.config.query_timeout_ms
    found_report = reports.report(name)
    found = reports.run(
        services.together, name, directory=services.directory, sight=sight, timeout_ms=timeout_ms, **given
    )
    local = [column.name for column in found_report.columns if column.type == "local"]
    rows = python_rows(found.table)
    for row in rows:
        for column in local:
            if isinstance(row[column], str):
                row[column] = datetime.fromisoformat(row[column])
    return found, rows


class _Literal(dict[str, str]):
    """Fills in what a page is about; braces that name nothing stay."""

    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"
