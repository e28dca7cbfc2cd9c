"""Whoever is known and asks for what they may not have leaves an event."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec

from whodid.errors import WhodidError
from whodid.receive.access import Access, Caller
from whodid.web.browsers import address_of, happened
from whodid.web.requests import Req, name_of, services_of

PATH_LENGTH_MAX: Final = 500


async def tell_refusal(request: Req, refused: WhodidError) -> None:
    """Make it an event `access-refused`, before the answer is given; the same again within five minutes is not told."""
    services, path = services_of(request), request.url.path[:PATH_LENGTH_MAX]
    caller = _known(services.access, request.scope)
    if caller is None or request.app.state.refusals.is_known((name_of(caller), request.method, path)):
        return
    told = {"method": request.method, "path": path, "reason": refused.message}
    event = happened("access-refused", name_of(caller), session=caller.session_id, address=address_of(request), **told)
    await services.call(services.record, msgspec.structs.replace(event, topic="authfail", status="denied"))


def _known(access: Access, scope: Mapping[str, Any]) -> Caller | None:
    headers = dict(scope["headers"])
    with suppress(WhodidError):
        claims = access.pane(headers)
        if claims is None:
            return access.caller(scope, headers)
        return Caller(claims.viewer or "viewer of a pane", frozenset(), user=claims.viewer)
    return None
