"""What was done right before the errors of a group: a tile of the group's page, and its whole table with its SQL."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import quote, urlencode

from litestar import Response

from whodid import reports
from whodid.reading.output import rows as as_rows
from whodid.web.error_groups import BEFORE, asked_before
from whodid.web.pages import frame
from whodid.web.pages.answers import Answer
from whodid.web.pages.audit import note
from whodid.web.pages.choice import ADDRESS_NAMES, Choice, choice_of
from whodid.web.pages.rows import Tile
from whodid.web.pages.sentence import sentence
from whodid.web.pages.tiles import EXPORTS, ROWS_MAX, Frame, grid_of, told_parameters
from whodid.web.requests import Req, caller_of, query_of, segments, services_of

TILE: Final = Tile(
    "before",
    BEFORE,
    title="What was done right before",
    columns=("what", "type", "errors", "share_percent", "median_s"),
    empty="Nothing is known of the half hour before.",
)
QUERY: Final = (*ADDRESS_NAMES, "sort")


def framed(group: str, rows: Sequence[dict[str, Any]], choice: Choice) -> Frame:
    """The tile with these rows in place."""
    answer = _answer(rows)
    chrome = _chrome(group, choice)
    body = frame.text(
        "tile_body.html",
        tile=TILE,
        chrome=chrome,
        answer=answer,
        choice=choice,
        spec=None,
        graph=None,
        multiples=[],
        grid=grid_of(TILE, answer, choice, {}),
        order="",
        sort_address=_sort_address(group, choice),
    )
    return chrome._replace(body=body)


async def page(request: Req) -> Response[bytes]:
    """The whole table, its definition and its SQL."""
    given, services, group = query_of(request, QUERY), services_of(request), segments(request)[1]
    choice = choice_of(given, frame.zone(request)).in_time()
    await note(request, "error", choice, {"group": group})
    span = choice.span()
    wanted = {"since": span.since, "until": span.until, "limit": ROWS_MAX}
    asked = await services.call(asked_before, services, group, wanted)
    prepared = reports.prepare(services.store, BEFORE, **asked)
    found = await services.call(partial(reports.run, services.store, BEFORE, **asked))
    answer = _answer(as_rows(found.table))
    return frame.page(
        request,
        "tile_table.html",
        at="/errors",
        title=TILE.title,
        choice=choice,
        sentence=sentence(choice, caller_of(request).sight),
        chrome=_chrome(group, choice),
        tile=TILE,
        back=f"{_path(group)}{choice.address()}",
        back_title="The group of errors",
        answer=answer,
        grid=grid_of(TILE, answer, choice, given, whole=True),
        order=(given.get("sort") or [""])[0],
        sort_address=_sort_address(group, choice),
        sql=prepared.sql,
        params=told_parameters(prepared),
    )


def _answer(rows: Sequence[dict[str, Any]]) -> Answer:
    return Answer(reports.report(BEFORE), list(rows), len(rows), False, [])


def _chrome(group: str, choice: Choice) -> Frame:
    span = choice.span()
    asked = {"since": f"{span.since.isoformat()}Z", "until": f"{span.until.isoformat()}Z", "limit": 100_000}
    address = f"/v1/error-groups/{quote(group, safe='')}/before"
    return Frame(
        TILE,
        reports.report(BEFORE),
        TILE.title,
        "",
        f"{_path(group)}/before{choice.address()}",
        [(label, f"{address}?{urlencode({**asked, 'format': form})}") for label, form in EXPORTS],
    )


def _sort_address(group: str, choice: Choice) -> str:
    query = choice.address()
    return f"{_path(group)}/before{query}{'&' if query else '?'}sort="


def _path(group: str) -> str:
    return f"/errors/{quote(group, safe='')}"
