"""Looking at a page is an event: one for a page and its tiles, however many parts it is fetched in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from whodid.web.events import record
from whodid.web.pages.choice import Choice
from whodid.web.requests import Req, caller_of, name_of


async def note(request: Req, page: str, choice: Choice, subject: Mapping[str, str]) -> None:
    """Note that somebody looks at a page: an event `audit-read` before the answer is given."""
    look = (name_of(caller_of(request)), page, choice, tuple(subject.values()))
    if request.app.state.looks.is_known(look):
        return
    asked: dict[str, Any] = {name: list(values) for name, values in choice.values}
    span = choice.span()
    asked |= {"since": span.since.isoformat() + "Z", "until": span.until.isoformat() + "Z", **subject}
    await record(request, "audit-read", f"page {page}", asked, "page")
