"""The console's page, its answers as parts and files, stopping, and what its forms keep."""

from __future__ import annotations

import threading
import time
from typing import Any, Final, NamedTuple

from litestar import Response

from whodid.errors import WhodidError
from whodid.reading import read
from whodid.reading.audit import SQL_LENGTH_MAX
from whodid.stores.base import COLUMNS, Result
from whodid.stores.stopping import stoppable
from whodid.web import browsers
from whodid.web.events import recorded
from whodid.web.pages import frame
from whodid.web.pages.console import saved
from whodid.web.pages.console.answer import Answer, answer_of
from whodid.web.pages.console.examples import EXAMPLES
from whodid.web.pages.console.history import history
from whodid.web.query import result_answer
from whodid.web.requests import Req, caller_of, name_of, one, query_of, segments, services_of

QUERY: Final = ("sql", "saved", "history", "done")
FORM_BYTES_MAX: Final = 512 * 1024
EXPORTS: Final = (("csv", "CSV"), ("parquet", "Parquet"), ("json", "JSON"))
RUNNING_MAX: Final = 200
EXPORTED_ROWS_MAX: Final = 1_000_000


class Shown(NamedTuple):
    """What stands in the console: the statement, its answer or what went wrong."""

    sql: str = ""
    answer: Answer | None = None
    error: WhodidError | None = None
    query: saved.SavedQuery | None = None


async def console(request: Req) -> Response[bytes]:
    """The console: a statement to write, the schema beside it."""
    given, services = query_of(request, QUERY), services_of(request)
    shown = Shown(sql=one(given, "sql"))
    if which := one(given, "saved"):
        query = await services.call(saved.saved_query, services.directory, which, _who(request))
        shown = Shown(sql=query.sql, query=query)
    return await _page(request, shown, with_history=one(given, "history") == "1", done=one(given, "done"))


async def ask(request: Req) -> Response[bytes]:
    """The console with the answer to its statement."""
    form = await _form(request)
    shown = await _asked(request, form)
    return await _page(request, shown, status=shown.error.kind.status if shown.error else 200)


async def answer(request: Req) -> Response[bytes]:
    """The answer alone, as a part of the page; also what went wrong."""
    form = await _form(request)
    shown = await _asked(request, form)
    return frame.fragment("console_answer.html", shown=shown, exports=EXPORTS)


async def export(request: Req) -> Response[bytes]:
    """The answer as a file."""
    form = await _form(request)
    kind = form.get("format", "")
    if kind not in {name for name, _ in EXPORTS}:
        raise WhodidError("invalid", f"There is no format {kind[:50]!r} here.", "Formats: csv, parquet, json.")
    services = services_of(request)
    try:
        result, _ = await _run(request, form, kind)
    except WhodidError as error:
        if error.code == "internal":
            raise
        return await _page(request, Shown(sql=form.get("sql", ""), error=error), status=error.kind.status)
    found = await services.call(result_answer, result, kind, "query")
    if kind == "json":
        found.headers["content-disposition"] = 'attachment; filename="query.json"'
    return found


async def stop(request: Req) -> Response[bytes]:
    """Stop the statement that runs under this name."""
    form = await _form(request)
    running = _running(request).get((_who(request), form.get("run", "")))
    if running is not None:
        running.set()
    return frame.html("stopped" if running else "nothing runs")


async def past(request: Req) -> Response[bytes]:
    """What one has asked before, as a part of the page."""
    query_of(request, ())
    services = services_of(request)
    asked = await services.call(history, services.store, _who(request))
    return frame.fragment("console_history.html", history=asked)


async def save(request: Req) -> Response[bytes]:
    """Keep the statement under a name."""
    form, services = await _form(request), services_of(request)
    shared, sql, name = "shared" in form, form.get("sql", ""), form.get("name", "")
    try:
        query = await services.call(saved.save, services.directory, name, sql, shared=shared, by=_who(request))
    except WhodidError as error:
        return await _page(request, Shown(sql=sql, error=error), status=error.kind.status)
    return browsers.goes_on(f"/console?saved={query.id}&done=saved")


async def rename(request: Req) -> Response[bytes]:
    """Give a saved query another name, share it or keep it to oneself."""
    form, services, which = await _form(request), services_of(request), segments(request)[2]
    how: dict[str, Any] = {"shared": "shared" in form, "by": _who(request), "is_admin": _is_admin(request)}
    query = await services.call(saved.rename, services.directory, which, form.get("name", ""), **how)
    return browsers.goes_on(f"/console?saved={query.id}&done=renamed")


async def delete(request: Req) -> Response[bytes]:
    """Take a saved query away."""
    await _form(request)
    services, which = services_of(request), segments(request)[2]
    await services.call(saved.delete, services.directory, which, by=_who(request), is_admin=_is_admin(request))
    return browsers.goes_on("/console?done=deleted")


_DONE: Final = {"saved": "Saved.", "renamed": "Renamed.", "deleted": "Deleted."}


async def _page(
    request: Req, shown: Shown, *, with_history: bool = False, done: str = "", status: int = 200
) -> Response[bytes]:
    services, who = services_of(request), _who(request)
    queries = await services.call(saved.saved_for, services.directory, who)
    asked = await services.call(history, services.store, who) if with_history else None
    return frame.page(
        request,
        "console.html",
        status=status,
        at="/console",
        shown=shown,
        columns=COLUMNS,
        examples=EXAMPLES,
        exports=EXPORTS,
        queries=queries,
        history=asked,
        caller=who,
        is_admin=_is_admin(request),
        done=_DONE.get(done, ""),
        rows_max=services.config.query_rows_max,
        timeout_s=services.config.query_timeout_ms / 1000,
        relation="whodid.events" if services.store.kind == "postgresql" else "events",
    )


async def _asked(request: Req, form: dict[str, str]) -> Shown:
    sql = form.get("sql", "")
    try:
        result, took_ms = await _run(request, form, "table")
        return Shown(sql=sql, answer=await services_of(request).call(answer_of, result, took_ms))
    except WhodidError as error:
        if error.code == "internal":
            raise
        return Shown(sql=sql, error=error)


async def _run(request: Req, form: dict[str, str], kind: str) -> tuple[Result, float]:
    """Run the statement of a form; it can be stopped under the name `run` of the form."""
    services, sql, stopping = services_of(request), form.get("sql", ""), threading.Event()
    if not sql.strip():
        raise WhodidError("invalid", "There is no statement.", "Write a SELECT on events, or take an example.")
    running, name = _running(request), (_who(request), form.get("run", "")[:100])
    if name[1] and len(running) < RUNNING_MAX:
        running[name] = stopping
    limit, timeout_ms = services.config.query_rows_max, services.config.query_timeout_ms
    if kind != "table":
        limit = EXPORTED_ROWS_MAX
    try:
        asked, form_told = {"sql": sql[:SQL_LENGTH_MAX]}, "json" if kind == "table" else kind
        async with recorded(request, "query-run", "query", asked, form_told):
            begun = time.perf_counter()
            with stoppable(stopping):
                result = await services.call(read.query, services.store, sql, None, limit=limit, timeout_ms=timeout_ms)
            took_ms = (time.perf_counter() - begun) * 1_000
    finally:
        running.pop(name, None)
    return result, took_ms


def _running(request: Req) -> dict[tuple[str, str], threading.Event]:
    running: dict[tuple[str, str], threading.Event] = request.app.state.running
    return running


async def _form(request: Req) -> dict[str, str]:
    return await browsers.form_of(request, bytes_max=FORM_BYTES_MAX)


def _who(request: Req) -> str:
    return name_of(caller_of(request))


def _is_admin(request: Req) -> bool:
    return "admin" in caller_of(request).scopes
