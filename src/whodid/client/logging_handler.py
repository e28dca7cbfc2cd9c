"""A handler that sends the records of Python's own `logging` to whodid."""

from __future__ import annotations

import logging
from typing import Any, Final

from whodid.client.arguments import is_secret
from whodid.client.encode import REDACTED
from whodid.client.exceptions import message_of, trace_of, type_of
from whodid.client.logger import Logger
from whodid.client.message import Fields

# What every record has; the rest came by `extra`.
_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_FLUSH_S: Final = 5.0


class WhodidHandler(logging.Handler):
    """Each record becomes a message of its level; CRITICAL is an error with the parameter `severity`.

    Parameters are the record's logger, place and what came by `extra`; in `extra` the names of a message's fields
    (`user`, `entities`, `request_id`, …) and `type` are taken as these. Exceptions come with their stack trace.

    logger  where to; `type` is the type of the messages.
    """

    def __init__(self, logger: Logger, level: int | str = logging.NOTSET, *, type: str = "log"):
        super().__init__(level)
        self._logger = logger
        self._type = type

    def filter(self, record: logging.LogRecord) -> bool:
        """The Logger's own reports are not for itself."""
        if record.name == "whodid.client" or record.name.startswith("whodid.client."):
            return False
        return bool(super().filter(record))

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record. What fails is told as `logging` tells it, never raised."""
        try:
            params: dict[str, Any] = {
                "logger": record.name,
                "module": record.module,
                "function": record.funcName,
                "line": record.lineno,
            }
            fields: dict[str, Any] = {}
            kind = self._type
            for name in record.__dict__.keys() - _STANDARD:
                value = record.__dict__[name]
                if name == "type":
                    kind = str(value)
                elif name in Fields.__annotations__:
                    fields[name] = value
                else:
                    params[name] = REDACTED if is_secret(name) else value
            if record.levelno >= logging.CRITICAL:
                params["severity"] = "critical"
            message = record.getMessage()
            _tell_error(record, message, params, fields)
            self._logger.emit(_level(record.levelno), kind, message, params, **fields)
        except Exception:
            self.handleError(record)

    def flush(self) -> None:
        """Have the server take what was logged, for 5 seconds at most."""
        self._logger.flush(_FLUSH_S)


def _tell_error(record: logging.LogRecord, message: str, params: dict[str, Any], fields: dict[str, Any]) -> None:
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        params["error_type"] = type_of(error)
        fields |= {"error_message": message_of(error), "stack_trace": trace_of(error)}
    elif record.exc_text:
        fields["stack_trace"] = record.exc_text
    elif record.stack_info:
        fields["stack_trace"] = record.stack_info
    if record.levelno >= logging.ERROR:
        fields.setdefault("error_message", message)


def _level(number: int) -> str:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"
