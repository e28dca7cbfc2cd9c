"""Errors as SCIM tells them (RFC 7644, section 3.12)."""

from __future__ import annotations

from typing import Any, Final

from whodid.errors import WhodidError

ERROR: Final = "urn:ietf:params:scim:api:messages:2.0:Error"

# What our codes are called there, where they have a name.
_TYPES: Final = {"conflict": "uniqueness", "invalid": "invalidValue"}


class ScimError(WhodidError):
    """An error with a `scim_type`: invalidFilter, invalidPath, invalidSyntax, invalidValue, mutability, noTarget,
    tooMany, uniqueness; `status` where it is another than that of its code."""

    def __init__(self, scim_type: str, message: str, hint: str | None = None, *, status: int | None = None):
        super().__init__("conflict" if scim_type == "uniqueness" else "invalid", message, hint)
        self.scim_type = scim_type
        self.status = status


def error_of(error: WhodidError) -> tuple[int, dict[str, Any]]:
    """Status and body of an error."""
    status = getattr(error, "status", None) or error.kind.status
    kind = getattr(error, "scim_type", _TYPES.get(error.code))
    detail = f"{error.message} {error.hint}" if error.hint else error.message
    body: dict[str, Any] = {"schemas": [ERROR], "status": str(status), "detail": detail}
    if kind and status in (400, 409):
        body["scimType"] = kind
    return status, body
