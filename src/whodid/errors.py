"""The one error type, and the one table from its codes to HTTP statuses and exit codes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple


class Kind(NamedTuple):
    """What a code means to a caller: HTTP status, CLI exit code, and whether trying again can help."""

    status: int
    exit_code: int
    temporary: bool


CODES: Final[dict[str, Kind]] = {
    "invalid": Kind(400, 2, temporary=False),
    "unauthorized": Kind(401, 1, temporary=False),
    "forbidden": Kind(403, 1, temporary=False),
    "not_found": Kind(404, 1, temporary=False),
    "method_not_allowed": Kind(405, 2, temporary=False),
    "timeout": Kind(408, 1, temporary=True),
    "conflict": Kind(409, 1, temporary=False),
    "too_large": Kind(413, 2, temporary=False),
    "unsupported": Kind(415, 2, temporary=False),
    "busy": Kind(429, 1, temporary=True),
    "internal": Kind(500, 1, temporary=True),
    "unavailable": Kind(503, 1, temporary=True),
    "full": Kind(507, 1, temporary=True),
}


class WhodidError(Exception):
    """Everything that goes wrong on purpose.

    Parameters
    ----------
    code
        A key of `CODES`; stable, for programs.
    message
        What is wrong and where, for people; one sentence, never a secret.
    hint
        How to mend it, or None.
    retry_after_s
        With a temporary code: how long to wait before trying again, in seconds.
    field
        What was given wrongly, by the name under which it is given; a form shows the error beside it.
    """

    def __init__(
        self,
        code: str,
        message: str,
        hint: str | None = None,
        *,
        retry_after_s: int | None = None,
        field: str | None = None,
    ):
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.retry_after_s = retry_after_s
        self.field = field

    @property
    def kind(self) -> Kind:
        return CODES[self.code]

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


@contextmanager
def about(field: str) -> Iterator[None]:
    """What goes wrong within is about what was given under this name."""
    try:
        yield
    except WhodidError as error:
        error.field = field
        raise
