"""What pyiceberg, its catalogs and its file systems complain of, as our errors."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Final

from pyiceberg import exceptions
from sqlalchemy.exc import SQLAlchemyError

from whodid.errors import WhodidError

_FORBIDDEN: Final = (
    *("ACCESS_DENIED", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "INVALID_ACCESS_KEY_ID"),
    *("SIGNATURE_DOES_NOT_MATCH", "Forbidden", "403", "Permission denied", "UnrecognizedClient"),
    *("authentication failed", "no password supplied", "permission denied", "no pg_hba.conf entry"),
    *("is not permitted to log in", "Read-only file system", "Not a directory"),
)
_MISSING: Final = ("NO_SUCH_BUCKET", "NoSuchBucket", "bucket does not exist")
_DATABASE: Final = re.compile(r'database "[^"]*" does not exist|role "[^"]*" does not exist')
_REFUSED: Final = (exceptions.ForbiddenError, exceptions.UnauthorizedError, exceptions.OAuthError)
_WRONG: Final = (
    exceptions.ValidationError, exceptions.NoSuchPropertyException, exceptions.NotInstalledError,
    exceptions.NoSuchIcebergTableError, exceptions.BadRequestError,
)  # fmt: skip
_HINTS: Final = {
    "forbidden": "The credentials are wrong, or they may not do this.",
    "not_found": "Check the warehouse and the catalog's address.",
    "invalid": "Check the options of the target.",
    "unavailable": "Look at the catalog, the warehouse and the network.",
}
_OURS: Final[tuple[type[Exception], ...]] = (
    *(SQLAlchemyError, OSError, ValueError, TypeError, KeyError, ModuleNotFoundError),
    *(value for value in vars(exceptions).values() if isinstance(value, type) and issubclass(value, Exception)),
)


@contextlib.contextmanager
def explained(what: str, *secrets: str) -> Iterator[None]:
    """Errors within, as ours. `what` begins the message ("The catalog cannot be reached"); secrets are cut out of it.

    Raises
    ------
    WhodidError("forbidden" | "not_found" | "invalid")
        Permanent.
    WhodidError("unavailable")
        Temporary: everything that is not known to be permanent.
    """
    try:
        yield
    except _OURS as error:
        # What the file system says of local files has a number, and its own explanation.
        if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
            raise
        code = _code_of(error)
        raise WhodidError(code, f"{what}: {_told(error, secrets)}", _HINTS[code]) from error


def _code_of(error: Exception) -> str:
    text = f"{type(error).__name__} {error}"
    if isinstance(error, _REFUSED) or any(sign in text for sign in _FORBIDDEN):
        return "forbidden"
    if any(sign in text for sign in _MISSING) or _DATABASE.search(text):
        return "not_found"
    if isinstance(error, (*_WRONG, ModuleNotFoundError)) or type(error) in (ValueError, TypeError, KeyError):
        return "invalid"
    return "unavailable"


def _told(error: Exception, secrets: tuple[str, ...]) -> str:
    cause = getattr(error, "orig", None) or error
    text = " ".join(str(cause).split())[:300] or type(error).__name__
    for secret in secrets:
        text = text.replace(secret, "…")
    return text
