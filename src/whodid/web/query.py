"""SQL and reports over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
from litestar import Response
from msgspec import Struct

from whodid.reading import read
from whodid.reading.audit import SQL_LENGTH_MAX, kind_of
from whodid.reading.cells import type_name
from whodid.reading.output import names_of, rows
from whodid.reports.common import FIELDS, ZONE
from whodid.stores.base import Result
from whodid.web.answers import TOTAL, TRUNCATED, file_answer, json_answer
from whodid.web.events import recorded
from whodid.web.requests import Req, body_of, caller_of, form_of, one, query_of, segments, services_of

if TYPE_CHECKING:
    from whodid.reports import Report, Reported

# Those that most reports take; what one takes besides stands in /v1/reports.
REPORT_PARAMETERS: Final = ("format", "since", "until", *FIELDS, ZONE.name, "limit")


class Question(Struct, kw_only=True, forbid_unknown_fields=True):
    """One SELECT on `events`, with parameters as `$name` or `$1`; rows at most, milliseconds at most."""

    sql: str
    params: dict[str, Any] | list[Any] | None = None
    limit: int | None = None
    timeout_ms: int | None = None


async def run_query(request: Req) -> Response[bytes]:
    """Answer one read-only SELECT."""
    query_of(request, ["format"])
    services, form = services_of(request), form_of(request)
    question = await body_of(request, Question)
    limit = services.config.query_rows_max if question.limit is None else question.limit
    timeout_ms = services.config.query_timeout_ms if question.timeout_ms is None else question.timeout_ms
    async with recorded(request, "query-run", "query", {"sql": question.sql[:SQL_LENGTH_MAX]}, form):
        answer = await services.call(
            read.query, services.store, question.sql, question.params, limit=limit, timeout_ms=timeout_ms
        )
    return await services.call(result_answer, answer, form, "query")


def result_answer(answer: Result, form: str, name: str) -> Response[bytes]:
    """Columns and rows; whether they are cut is also in a header."""
    headers = {TRUNCATED: "true" if answer.truncated else "false"}
    if form != "json":
        return file_answer(answer.table, form, name, headers)
    names = names_of(answer.table)
    columns = [{"name": name, "type": type_name(field)} for name, field in zip(names, answer.table.schema, strict=True)]
    content = {"columns": columns, "rows": rows(answer.table), "truncated": answer.truncated}
    return json_answer(content, headers=headers)


async def list_reports(request: Req) -> Response[bytes]:
    """The reports there are."""
    from whodid import reports

    query_of(request, [])
    return json_answer({"reports": msgspec.to_builtins(reports.catalogue())})


async def run_report(request: Req) -> Response[bytes]:
    """One report; its parameters as query parameters."""
    from whodid import reports

    services, form, name = services_of(request), form_of(request), segments(request)[2]
    kinds = {parameter.name: parameter.type for parameter in reports.report(name).parameters}
    given: dict[str, Any] = {}
    for key, values in query_of(request, None).items():
        if key != "format":
            given[key] = values if kinds.get(key) == "texts" else one({key: values}, key)
    sight = caller_of(request).sight
    async with recorded(request, kind_of(form), f"report {name[:100]}", given, form):
        answer = await services.call(
            reports.run, services.store, name, directory=services.directory, sight=sight, **given
        )
    return await services.call(report_answer, reports.report(name), answer, form)


def report_answer(report: Report, answer: Reported, form: str) -> Response[bytes]:
    """Rows; in JSON also the columns with their units, the number of rows without the limit, and what was asked."""
    headers = {TRUNCATED: "true" if answer.truncated else "false"}
    if answer.total is not None:
        headers[TOTAL] = str(answer.total)
    if form != "json":
        return file_answer(answer.table, form, report.name, headers)
    # Lists that are worked out, such as all types of the catalogue, are no answer.
    lists = {one.name for one in report.parameters if one.is_derived and one.type == "texts"}
    content = {
        "columns": msgspec.to_builtins(report.columns),
        "rows": rows(answer.table),
        "truncated": answer.truncated,
        "total": answer.total,
        "parameters": {name: _plain(value) for name, value in answer.values.items() if name not in lists},
    }
    return json_answer(content, headers=headers)


def _plain(value: Any) -> Any:
    return f"{value.isoformat()}Z" if isinstance(value, datetime) else value
