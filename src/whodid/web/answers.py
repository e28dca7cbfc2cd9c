"""What handlers answer: rows in every format, JSON, errors in their one shape."""

from __future__ import annotations

import logging
import traceback
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import pyarrow as pa
from litestar import Response
from litestar.exceptions import HTTPException
from litestar.response import Stream

from whodid.errors import CODES, WhodidError
from whodid.reading.cells import encode
from whodid.reading.output import FORMATS, rows, write
from whodid.receive.answer import error_body, request_id
from whodid.web.requests import Req
from whodid.web.services import Services

NEXT_CURSOR: Final = "whodid-next-cursor"
TRUNCATED: Final = "whodid-truncated"
TOTAL: Final = "whodid-total"
_CODE_OF_STATUS: Final = {kind.status: code for code, kind in CODES.items()}
_log = logging.getLogger("whodid.web")


def json_answer(value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response[bytes]:
    """A value as JSON."""
    return Response(encode(value), status_code=status, media_type="application/json", headers=headers or {})


def page_answer(table: pa.Table, next_cursor: str | None, form: str, name: str) -> Response[bytes]:
    """A page of events; its cursor in the body of JSON, in a header otherwise."""
    headers = {NEXT_CURSOR: next_cursor} if next_cursor else {}
    if form == "json":
        return json_answer({"events": rows(table), "next_cursor": next_cursor}, headers=headers)
    return file_answer(table, form, name, headers)


def file_answer(table: pa.Table, form: str, name: str, headers: dict[str, str] | None = None) -> Response[bytes]:
    """A table as a whole in one of the formats."""
    return Response(
        b"".join(write([table], form)),
        media_type=FORMATS[form].media_type,
        headers={**_attachment(form, name), **(headers or {})},
    )


async def stream_answer(services: Services, tables: Iterator[pa.Table], form: str, name: str) -> Stream:
    """Tables as they come. The first piece is read before the answer begins, so that errors are told as such."""
    pieces = write(tables, form)
    first = await services.call(next, pieces, None)

    async def all_pieces() -> AsyncIterator[bytes]:
        piece = first
        while piece is not None:
            yield piece
            piece = await services.call(next, pieces, None)

    return Stream(all_pieces(), media_type=FORMATS[form].media_type, headers=_attachment(form, name))


def label_text(text: str | None) -> str:
    """What stands between the quotation marks of a label for Prometheus."""
    return (text or "").replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def error_answer(request: Req, error: Exception) -> Response[bytes]:
    """Whatever went wrong, in the one shape of errors."""
    told = (_beside_a_door(request) if _is_lost(error) else None) or told_of(error)
    headers = {}
    if told.retry_after_s is not None or (told.kind.temporary and told.kind.status in (429, 503)):
        headers["retry-after"] = str(told.retry_after_s or 1)
    if told.code == "unauthorized":
        headers["www-authenticate"] = "Bearer"
    if told.code == "method_not_allowed" and (allowed := _allowed(request, error)):
        headers["allow"] = ", ".join(allowed)
    identifier = request_id_of(request)
    if told.code == "internal":
        _log.error("request %s: %s", identifier.decode(), "".join(traceback.format_exception(error)))
    return json_answer(error_body(told, identifier), status=told.kind.status, headers=headers)


def request_id_of(request: Req) -> bytes:
    """The id of this request: the sender's, else one of ours; the same each time."""
    state = request.scope["state"]
    if "whodid_request_id" not in state:
        given = request.headers.get("x-request-id")
        state["whodid_request_id"] = request_id(given.encode("latin-1", "replace") if given else None)
    identifier: bytes = state["whodid_request_id"]
    return identifier


def told_of(error: Exception) -> WhodidError:
    """What is told of an error: of one that nobody made on purpose only that it happened."""
    if isinstance(error, WhodidError):
        return error
    if isinstance(error, HTTPException) and error.status_code < 500:
        code = _CODE_OF_STATUS.get(error.status_code, "invalid")
        messages = {
            "not_found": ("There is nothing at this address.", "See /docs for what there is."),
            "method_not_allowed": ("This address does not take that method.", "See /docs for what it takes."),
        }
        message, hint = messages.get(code, (error.detail[:500] or "The request cannot be read.", "See /docs."))
        return WhodidError(code, message, hint)
    return WhodidError("internal", "Something went wrong here.", "The server's log tells more, under the request_id.")


def _is_lost(error: Exception) -> bool:
    return isinstance(error, HTTPException) and error.status_code in (404, 405)


def _allowed(request: Req, error: Exception) -> list[str]:
    """The methods that an address takes; doors are not known to what refuses others."""
    from whodid.web.openapi_doors import DOORS

    given = (error.headers or {}) if isinstance(error, HTTPException) else {}
    methods = {method.strip() for name in given if name.lower() == "allow" for method in given[name].split(",")}
    if request.scope["path"] in {door.path for door in DOORS}:
        methods.add("POST")
    return sorted(methods)


def _beside_a_door(request: Req) -> WhodidError | None:
    """For what was posted to the address of a door but for a slash: where to post."""
    from whodid.web.openapi_doors import DOORS

    meant = "/" + "/".join(part for part in request.scope["path"].split("/") if part)
    if request.method != "POST" or all(meant != door.path for door in DOORS):
        return None
    return WhodidError("not_found", "There is nothing at this address.", f"Post to {meant}, without a further slash.")


def _attachment(form: str, name: str) -> dict[str, str]:
    if form == "json":
        return {}
    return {"content-disposition": f'attachment; filename="{name}{FORMATS[form].suffix}"'}
