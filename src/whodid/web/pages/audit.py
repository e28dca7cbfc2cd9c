"""Looking at a page is an event: one for a page and its tiles, however many parts it is fetched in."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from whodid.web.events import record
from whodid.web.pages.choice import Choice
from whodid.web.requests import Req, caller_of, name_of

# The tiles of a page that was noted need no note of their own for so long.
ONE_LOOK_S: Final = 300.0
LOOKS_MAX: Final = 4_096


class Looks:
    """Who looked at what lately."""

    def __init__(self) -> None:
        self._seen: OrderedDict[Any, float] = OrderedDict()

    def is_further(self, look: Any, now: float) -> bool:
        """Whether this belongs to a look that is noted already; if not, it counts as noted from here on."""
        if now - self._seen.get(look, -ONE_LOOK_S) < ONE_LOOK_S:
            return True
        self._seen[look] = now
        while len(self._seen) > LOOKS_MAX:
            self._seen.popitem(last=False)
        return False


async def note(request: Req, page: str, choice: Choice, subject: Mapping[str, str]) -> None:
    """Note that somebody looks at a page: an event `audit-read` before the answer is given."""
    look = (name_of(caller_of(request)), page, choice, tuple(subject.values()))
    if request.app.state.looks.is_further(look, time.monotonic()):
        return
    asked: dict[str, Any] = {name: list(values) for name, values in choice.values}
    span = choice.span()
    asked |= {"since": span.since.isoformat() + "Z", "until": span.until.isoformat() + "Z", **subject}
    await record(request, "audit-read", f"page {page}", asked, "page")
