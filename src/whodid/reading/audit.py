"""The events that tell of reading: who looked at the audit, and what for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec

from whodid.errors import WhodidError
from whodid.event import Event, new_id
from whodid.reading.filters import EventFilter

SQL_LENGTH_MAX: Final = 10_000

# audit-read: events or an overview of them; audit-exported: as a file; query-run: by SQL.
Reading = Literal["audit-read", "audit-exported", "query-run"]


def reading(
    kind: Reading,
    *,
    by: str,
    what: str,
    wanted: EventFilter | dict[str, Any],
    form: str = "json",
    refused: WhodidError | None = None,
    **more: Any,
) -> Event:
    """The event of a reading.

    Parameters
    ----------
    by
        Login or name of who reads.
    what
        What was asked: `events`, `activity`, `usage`, `query`, `report`, …
    wanted
        The filter, or the question's own parameters.
    form
        The format of the answer.
    refused
        Why there was no answer: then it is told as tried. As a parameter, because it is no error of the platform.
    """
    asked = _given(wanted) if isinstance(wanted, EventFilter) else wanted
    parameters = {"what": what, "format": form, **more, "filter": asked}
    if refused is not None:
        parameters["refused"] = {"code": refused.code, "message": refused.message}
    return Event(
        id=new_id(),
        time=datetime.now(UTC),
        type=kind,
        source="server",
        user=by[:200] or None,
        description=f"Read {what}." if refused is None else f"Tried to read {what}.",
        status=None if refused is None else "failed",
        parameters=msgspec.Raw(msgspec.json.encode(parameters, enc_hook=str)),
    )


def kind_of(form: str) -> Reading:
    """Answers as files are exports."""
    return "audit-read" if form in ("json", "table") else "audit-exported"


def _given(wanted: EventFilter) -> dict[str, Any]:
    plain = EventFilter()
    fields = {name: getattr(wanted, name) for name in wanted.__struct_fields__}
    return {name: value for name, value in fields.items() if value != getattr(plain, name)}
