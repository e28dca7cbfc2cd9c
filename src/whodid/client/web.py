"""What the middlewares of web frameworks have in common: how a request is told."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Any, Final

from whodid.client.exceptions import message_of, trace_of, type_of
from whodid.client.logger import Logger

TYPE: Final = "http-request"
_REQUEST_ID: Final = re.compile(r"[\x21-\x7e]{1,128}")


class Served:
    """One request, from its start to its event. The query string is never told: it may hold secrets."""

    def __init__(self, method: str, path: str):
        self.method = method
        self.path = path
        self.status: int | None = None
        self.time = datetime.now(UTC)
        self._start = time.perf_counter()

    def log(
        self,
        logger: Logger,
        *,
        route: str | None,
        user: str | None,
        request_id: str,
        error: BaseException | None = None,
        cancelled: bool = False,
    ) -> None:
        """Log it as ended at this moment. Never raises."""
        duration_ms = round((time.perf_counter() - self._start) * 1000, 3)
        params: dict[str, Any] = {
            "method": self.method,
            "route": route,
            "path": self.path[:2000],
            "status": self.status,
            "ms": duration_ms,
        }
        fields: dict[str, Any] = {}
        if error is not None:
            params["error_type"] = type_of(error)
            fields = {"error_message": message_of(error), "stack_trace": trace_of(error)}
        failed = error is not None or (self.status or 0) >= 500
        try:
            logger.emit(
                "usage",
                TYPE,
                f"{self.method} {route or self.path}"[:2000],
                {name: value for name, value in params.items() if value is not None},
                time=self.time,
                duration_ms=duration_ms,
                request_id=request_id,
                status="cancelled" if cancelled else "failed" if failed else "done",
                **({"user": user} if user else {}),
                **fields,
            )
        except Exception as failure:
            logger.count_failure(failure)


def request_id_of(header: str | None) -> str | None:
    """The id that a proxy or caller gave a request, if it is 1 to 128 visible ASCII characters."""
    return header if header and _REQUEST_ID.fullmatch(header) else None


def login_of(user: Any) -> str | None:
    """The login of what a framework calls a user: text, a mapping, or an object; None for nobody."""
    if user is None or isinstance(user, str):
        return user or None
    if isinstance(user, dict):
        found = next((user[name] for name in ("login", "username", "user", "sub", "email") if user.get(name)), None)
        return None if found is None else str(found)
    if getattr(user, "is_authenticated", True) is False:
        return None
    for name in ("login", "username", "identity", "display_name", "email", "name"):
        try:
            found = getattr(user, name, None)
        except Exception:  # noqa: S112 (Starlette's base class has properties that are not implemented)
            continue
        if found and not callable(found):
            return str(found)
    return None
