"""What to do first, as long as nobody but whodid itself has sent an event."""

from __future__ import annotations

from typing import Final

from whodid import catalogue
from whodid.errors import WhodidError
from whodid.reading.filters import NOT, make_filter
from whodid.reading.sight import EVERYTHING
from whodid.web.pages import found
from whodid.web.requests import Req, address_here, caller_of, services_of
from whodid.web.services import Services

# What whodid notes of itself, such as looks at these pages; some of it in words that platforms use, too.
_OWN: Final = "whodid"
_OWN_BESIDES: Final = (
    "user-logged-in", "user-logged-out", "user-login-failed", "settings-changed", "log-settings-changed",
)  # fmt: skip
# No page waits longer to know.
_TIMEOUT_MS: Final = 1_000


class Beginning:
    """Whether something was sent. Once it was, the store is not asked again."""

    def __init__(self) -> None:
        self._is_over = False

    async def is_over(self, services: Services) -> bool:
        """Whether the store holds an event that others sent; also when it cannot tell."""
        if not self._is_over:
            own = [entry.name for entry in catalogue.entries().values() if entry.family == _OWN]
            wanted = make_filter(type=[f"{NOT}{name}" for name in (*own, *_OWN_BESIDES)], limit=1)
            try:
                rows, _ = await services.call(found.page, services, wanted, EVERYTHING, _TIMEOUT_MS)
            except WhodidError:
                return True
            self._is_over = bool(rows)
        return self._is_over


async def address(request: Req) -> str:
    """Where events are sent to, for who sees everything of an instance that has none; empty otherwise."""
    beginning: Beginning = request.app.state.beginning
    if caller_of(request).sight.is_limited or await beginning.is_over(services_of(request)):
        return ""
    return address_here(request)
