"""Rules of alerts, and what they find."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from support.beside import Clock, House
from support.reading import event
from whodid.alerts.row import NewAlert

SECRET = "the-secret-of-the-webhook"


TRACE = 'Traceback (most recent call last):\n  File "/app/sales.py", line {}, in total\n    x()\n{}: {}'


def rule(house: House, kind: str, name: str = "it", *, options: dict[str, Any] | None = None, **more: Any) -> None:
    given = {"webhooks": ["ops"], **more}
    house.beside.alerts.create(NewAlert(name=name, kind=kind, options=options or {}, **given), by="admin")


def look(house: House, **span: float) -> None:
    house.clock.turn(**(span or {"seconds": 60}))
    house.beside.do_due()


def failures(clock: Clock, account: str, count: int, *, ago: timedelta = timedelta(seconds=30)) -> list[Any]:
    at = clock.at - ago
    return [event("login-failed", at=at, user=None, parameters={"login": account}) for _ in range(count)]


def failed(clock: Clock, message: str, line: int = 1, kind: str = "ValueError", **more: Any) -> Any:
    trace = TRACE.format(line, kind, message)
    given = {"user": "erika", "level": "error", "error_message": message, "error_stack_trace": trace, **more}
    return event("query-failed", at=clock.at - timedelta(seconds=5), **given)
