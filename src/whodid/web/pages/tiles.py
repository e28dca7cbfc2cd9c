"""Pages of tiles, and each tile's answer as a fragment, as a page of its own, and as what can be exported."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

from litestar import Response
from msgspec.structs import replace

from whodid import reports
from whodid.amounts import counted
from whodid.errors import WhodidError
from whodid.reading.cells import encode
from whodid.reading.filters import NOT
from whodid.reports import Report
from whodid.web import words
from whodid.web.answers import told_of
from whodid.web.pages import answers, axes, charts, first_steps, found, frame, graph, links, multiples, parts
from whodid.web.pages.audit import note
from whodid.web.pages.catalogue import PAGES, page_of
from whodid.web.pages.cells import Grid, grid, meant, number_text
from whodid.web.pages.choice import ADDRESS_NAMES, COMMON, FIELDS, Choice, choice_of
from whodid.web.pages.known import Known
from whodid.web.pages.rows import Page, Tile, without_holes
from whodid.web.pages.sentence import sentence
from whodid.web.pages.turns import Turns
from whodid.web.pages.warm import Warmth
from whodid.web.requests import Req, caller_of, query_of, segments, services_of

# Rows of a table before "show all", by the height of its tile.
ROWS: Final = {0: 1, 1: 3, 2: 6, 3: 10, 4: 18, 5: 30, 6: 40}
ROWS_MAX: Final = 1_000
# Another order than the report's own is that of all rows, not of the first hundred.
SORTED_MAX: Final = 10_000
EXPORTS: Final = (("CSV", "csv"), ("Parquet", "parquet"), ("JSON", "json"))
# How many events a page is about, for the sentence under its title.
COUNT: Final = Tile("count", "count", "part")
PAGE_QUERY: Final = (*ADDRESS_NAMES, "full")
TILE_QUERY: Final = (*ADDRESS_NAMES, "about", "sort", "all", "cursor")


class Frame(NamedTuple):
    """A tile before its answer: its chrome, the addresses that it and its menu use, how many `rows` it had last."""

    tile: Tile
    report: Report | None
    title: str
    source: str
    table: str
    exports: list[tuple[str, str]]
    body: str | None = None
    rows: int | None = None


def handler_of(page: Page) -> Callable[[Req], Awaitable[Response[bytes]]]:
    """What answers for a page of the catalogue."""

    async def answer(request: Req) -> Response[bytes]:
        return await _page(page, request)

    answer.__name__ = f"page_{page.name.replace('-', '_')}"
    answer.__doc__ = f"The page {page.title}."
    return answer


async def _page(page: Page, request: Req) -> Response[bytes]:
    given = query_of(request, PAGE_QUERY)
    choice = choice_of(given, frame.zone(request))
    subject = subject_of(page, request)
    await note(request, page.name, choice, subject)
    warmth: Warmth = request.app.state.warmth
    warmth.analysis()
    full = "full" in given
    known: Known = request.app.state.known
    seen = [one for one in page.tiles if _may_see(request, one)]
    seen = seen if len(seen) == len(page.tiles) else without_holes(seen)
    tiles = [
        framed(page, one, choice, subject)._replace(rows=known.rows(_look(request, page, one, choice, subject)))
        for one in seen
    ]
    if full:
        turns: Turns = request.app.state.turns
        tiles = await turns.take(
            [((page.name, one.tile.name), partial(_filled, request, page, one, choice, subject)) for one in tiles]
        )
    about = list(subject.values())[-1] if subject and page.counted else ""
    return frame.page(
        request,
        "tiles.html",
        page=page,
        at=page.under or page.path,
        choice=choice,
        subject=subject,
        title=page.title.format_map(subject) if subject else page.title,
        sentence=sentence(choice, caller_of(request).sight, about),
        first_steps=await first_steps.address(request),
        count_source=framed(page, COUNT, choice, subject).source if page.counted else "",
        tiles=tiles,
        full=full,
        fields=COMMON,
        address=request.url.path,
        full_address=f"{request.url.path}{choice.address(full=1)}",
    )


async def tile(request: Req) -> Response[bytes]:
    """One tile's answer as a fragment of its page."""
    page, one, choice, subject, given = _asked(request)
    await note(request, page.name, choice, subject)
    return await _body(request, page, one, choice, subject, given)


async def tile_table(request: Req) -> Response[bytes]:
    """One tile as a page: its whole table, its SQL, its definition."""
    page, one, choice, subject, given = _asked(request)
    await note(request, page.name, choice, subject)
    if one.form == "part":
        raise WhodidError("not_found", "This tile is no table.", "Its events are on the page of events.")
    services = services_of(request)
    answer = await answers.ask(request, one, choice, subject, _rows_asked(given, whole=True))
    asked, sight = answers.parameters(answer.report, one, choice, subject), caller_of(request).sight
    prepared = await services.call(
        partial(reports.prepare, services.store, one.report, directory=services.directory, sight=sight, **asked)
    )
    chrome = framed(page, one, choice, subject)
    return frame.page(
        request,
        "tile_table.html",
        page=page,
        at=page.under or page.path,
        choice=choice,
        sentence=sentence(choice, sight),
        tile=one,
        chrome=chrome,
        back=f"{_path(page, subject)}{choice.address()}",
        back_title="Back" if "{" in page.title else page.title,
        answer=answer,
        grid=grid_of(one, answer, narrowed(one, choice, subject), given, whole=True),
        **_sorting(page, one, choice, subject, given),
        sql=prepared.sql,
        params=told_parameters(prepared),
        title=chrome.title,
    )


def framed(page: Page, tile: Tile, choice: Choice, subject: Mapping[str, str]) -> Frame:
    """A tile's chrome."""
    about = [("about", value) for value in subject.values()]
    query = urlencode([*choice.pairs(), *about])
    source = f"/tiles/{page.name}/{tile.name}"
    if tile.form == "part":
        narrowed = parts.narrowed(choice, subject) if tile.report in parts.OF_EVENTS else None
        exports = [] if narrowed is None else found.exports(narrowed)
        events = "" if narrowed is None else f"/events{narrowed.address()}"
        return Frame(tile, None, tile.title, f"{source}?{query}" if query else source, events, exports)
    report = reports.report(tile.report)
    asked = answers.parameters(report, tile, choice, subject)
    exported = [(name, value) for name, values in asked.items() if name != "limit" for value in _texts(values)]
    if any(parameter.name == "limit" for parameter in report.parameters):
        exported.append(("limit", "100000"))
    return Frame(
        tile,
        report,
        _title(report, tile, choice),
        f"{source}?{query}" if query else source,
        f"{source}/table?{query}" if query else f"{source}/table",
        [(label, f"/v1/reports/{tile.report}?{urlencode([*exported, ('format', form)])}") for label, form in EXPORTS],
    )


def _title(report: reports.Report, tile: Tile, choice: Choice) -> str:
    """What a tile is called: "Errors a day", or "Errors an hour" of a short time."""
    title = tile.title or report.title
    return title.replace(" a day", " an hour") if answers.by_the_hour(report, tile, choice) else title


def subject_of(page: Page, request: Req) -> dict[str, str]:
    """What a page is about, from its path."""
    names = [part[1:-1] if part.startswith("{") else "" for part in page.path.split("/") if part]
    return {name: value for name, value in zip(names, segments(request), strict=False) if name}


def _asked(request: Req) -> tuple[Page, Tile, Choice, dict[str, str], dict[str, list[str]]]:
    given = query_of(request, TILE_QUERY)
    _, page_name, tile_name, *_ = segments(request)
    page = page_of(page_name)
    one = COUNT if tile_name == COUNT.name else page.tile(tile_name) if page else None
    if page is None or one is None:
        raise WhodidError("not_found", "There is no such tile.", f"Pages: {', '.join(page.name for page in PAGES)}.")
    names = [part[1:-1] for part in page.path.split("/") if part.startswith("{")]
    subject = dict(zip(names, given.get("about", []), strict=False))
    if len(subject) != len(names):
        raise WhodidError("invalid", "about is missing.", f"The page is about {', '.join(names)}.")
    return page, one, choice_of(given, frame.zone(request)), subject, given


def _may_see(request: Req, one: Tile) -> bool:
    """Whether a tile keeps to what the caller may see; readers are not shown those that tell of everything."""
    if not caller_of(request).sight.is_limited:
        return True
    if one.form == "part":
        return one.report in parts.KEEP_TO_SIGHT
    return reports.report(one.report).keeps_to_sight


async def _filled(request: Req, page: Page, chrome: Frame, choice: Choice, subject: Mapping[str, str]) -> Frame:
    """A tile with its answer in place, for pages without scripts; one that fails says so and the others stay."""
    try:
        shown = await _body(request, page, chrome.tile, choice, subject, {})
        return chrome._replace(body=shown.content.decode())
    except WhodidError as error:
        told = told_of(error)
        return chrome._replace(body=frame.environment().get_template("tile_error.html").render(error=told))


async def _body(
    request: Req,
    page: Page,
    one: Tile,
    choice: Choice,
    subject: Mapping[str, str],
    given: Mapping[str, list[str]],
) -> Response[bytes]:
    if not _may_see(request, one):
        raise WhodidError("forbidden", "This tile tells of more than you may see.", "Ask an administrator.")
    if one is COUNT and (numbers := page.counting) and not answers.ignored(reports.report(numbers.report), choice):
        told = await answers.ask(request, numbers, choice, subject)
        return frame.html(counted(next(row["value"] for row in told.rows if row["measure"] == "events"), "event"))
    if one.form == "part":
        return frame.html(await parts.PARTS[one.report](request, choice, subject, (given.get("cursor") or [""])[0]))
    answer = await answers.ask(request, one, choice, subject, _rows_asked(given))
    counted_of = narrowed(one, choice, subject)
    spec = _drawn(one, answer, counted_of) if one.form == "chart" else None
    chrome = framed(page, one, choice, subject)
    shown = grid_of(one, answer, counted_of, given)
    if one.form == "table" and "all" not in given:
        known: Known = request.app.state.known
        known.note(_look(request, page, one, choice, subject), len(shown.rows))
    return frame.fragment(
        "tile_body.html",
        tile=one,
        chrome=chrome,
        answer=answer,
        choice=choice,
        limited=caller_of(request).sight.is_limited,
        spec=None if spec is None else encode(spec).decode(),
        drill=_drill(counted_of if spec is None else _but_named(counted_of, spec)),
        legend=[] if spec is None else charts.legend(spec),
        graph=graph.graph(answer.rows, (subject["type"], subject["id"])) if one.form == "graph" else None,
        numbers=_numbers(answer, one.columns) if one.form == "numbers" else [],
        multiples=multiples.multiples(answer.rows) if one.form == "multiples" else [],
        grid=shown,
        **_sorting(page, one, choice, subject, given),
    )


def _drawn(one: Tile, answer: answers.Answer, choice: Choice) -> dict[str, Any] | None:
    """The specification of a tile's chart, over all of the time that the tile is about where that has two ends."""
    span = None if choice.range == "all" or any(name == "since" for name, _ in one.parameters) else choice.span()
    return charts.spec(
        answer.report,
        answer.rows,
        chart=one.chart,
        before=answer.before,
        days=answer.days,
        zone=choice.zone,
        leads=partial(links.drill, answer.report.drill or "", choice=choice),
        ends=None if span is None else (span.since, span.until),
        step=answers.period_of(answer.report, one, choice),
    )


def told_parameters(prepared: reports.Prepared) -> dict[str, Any]:
    """The parameters of a statement as they are shown beside it."""
    found: dict[str, Any] = json.loads(encode({name: _shown(value) for name, value in prepared.params.items()}))
    return found


def _look(request: Req, page: Page, one: Tile, choice: Choice, subject: Mapping[str, str]) -> Any:
    """What a tile shows to whom: who sees less is not told how many rows others saw."""
    return page.name, one.name, choice, tuple(subject.values()), caller_of(request).sight


def _rows_asked(given: Mapping[str, list[str]], *, whole: bool = False) -> int:
    """How many rows the report is asked for; 0 for as many as it usually gives."""
    if given.get("sort"):
        return SORTED_MAX
    return ROWS_MAX if whole or "all" in given else 0


def grid_of(
    one: Tile, answer: answers.Answer, choice: Choice, given: Mapping[str, list[str]], *, whole: bool = False
) -> Grid:
    """An answer as a tile's table, or as a whole one, in the order that the address gives.

    What is counted in it leads to the events of the `choice`.
    """
    columns = () if whole else one.columns
    report, rows, columns = meant(answer.report, answer.rows, columns, dict(one.parameters))
    if step := answers.period_of(report, one, choice):
        rows = [{**row, "ends": axes.end(step, row["period"])} for row in rows]
    order = (given.get("sort") or [one.sort])[0]
    by = order.removeprefix("-")
    if by and rows and by in rows[0]:
        known = sorted((row for row in rows if row[by] is not None), key=lambda row: row[by], reverse=order[0] == "-")
        rows = known + [row for row in rows if row[by] is None]
    show = ROWS_MAX if whole or "all" in given else ROWS[one.height]
    if one.form in ("chart", "graph", "multiples"):
        show = ROWS_MAX
    return grid(report, rows, choice, of=answer.of, columns=columns, show=show)


def _sorting(
    page: Page, one: Tile, choice: Choice, subject: Mapping[str, str], given: Mapping[str, list[str]]
) -> dict[str, Any]:
    """What headings need to sort: the order there is, and the address to which `sort` is added."""
    about = [("about", value) for value in subject.values()]
    query = urlencode([*choice.pairs(), *about])
    return {
        "order": (given.get("sort") or [one.sort])[0],
        "sort_address": f"/tiles/{page.name}/{one.name}/table?{query + '&' if query else ''}sort=",
    }


def _numbers(answer: answers.Answer, measures: tuple[str, ...]) -> list[dict[str, Any]]:
    """The cards of a strip: rows of measure, value and what it was before (all or these), or columns of one row."""
    columns = {column.name: column for column in answer.report.columns}
    if {"measure", "value"} <= set(columns):
        events = next((row["value"] for row in answer.rows if row["measure"] == "events"), 0)
        return [
            {
                "label": row["measure"].replace("active users, ", ""),
                "value": number_text(replace(columns["value"], unit=row.get("unit")), row["value"]),
                "previous": row.get("previous"),
                "change": row.get("change_percent"),
                "bad": row["measure"] == "errors" and bool(row["value"]),
                "share": words.percent(row["value"], events) if row["measure"] == "errors" and events else "",
            }
            for row in answer.rows
            if not measures or row["measure"] in measures
        ]
    first = answer.rows[0] if answer.rows else {}
    return [
        {
            "label": name.replace("_", " "),
            "value": number_text(column, first.get(name)),
            "previous": None,
            "change": None,
            "bad": name == "errors" and bool(first.get(name)),
            "share": "",
        }
        for name, column in columns.items()
        if column.type in ("integer", "number")
    ]


def narrowed(one: Tile, choice: Choice, subject: Mapping[str, str]) -> Choice:
    """The events that a tile counts: of a page's choice those of what the page is about, and of the tile's own kind."""
    for name, value in one.parameters + one.events:
        field = next((field for field in FIELDS if name == (field.parameter or field.name)), None)
        if field is not None:
            told = answers.filtered(choice.of(field.name), value, value.format_map(subject))
            choice = choice.with_values(field.name, told)
    return choice


def _drill(counted_of: Choice) -> str:
    """The address of the events that a tile counts, without their time: what its marks lead to."""
    pairs = [(name, value) for name, values in counted_of.values for value in values]
    return f"/events?{urlencode(pairs)}" if pairs else "/events"


def _but_named(counted_of: Choice, spec: Mapping[str, Any]) -> Choice:
    """The events of a chart's other categories: of none that it names. Marks of those say themselves of which."""
    named = [name for name, _ in charts.legend(spec)]
    by = spec.get("usermeta", {}).get("by", "")
    if not by or charts.OTHERS not in named:
        return counted_of
    unwanted = [f"{NOT}{name}" for name in named if name != charts.OTHERS]
    return counted_of.with_values(by, [*counted_of.of(by), *unwanted])


def _path(page: Page, subject: Mapping[str, str]) -> str:
    return page.path.format_map({name: quote(value, safe="") for name, value in subject.items()})


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [one.isoformat() if hasattr(one, "isoformat") else str(one) for one in values]


def _shown(value: Any) -> Any:
    return value.isoformat(sep=" ") if hasattr(value, "isoformat") else value
