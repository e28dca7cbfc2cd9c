"""The description of the API, as JSON and as a page."""

from __future__ import annotations

from litestar import Response

from whodid.web.answers import json_answer
from whodid.web.pages.frame import page
from whodid.web.requests import Req


async def openapi_json(request: Req) -> Response[bytes]:
    """This description of the API."""
    from whodid.web.openapi import description

    return json_answer(description())


async def docs(request: Req) -> Response[bytes]:
    """The description of the API as a page."""
    from whodid.web.openapi import description

    return page(request, "docs.html", api=description())
