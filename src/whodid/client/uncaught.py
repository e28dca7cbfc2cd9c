"""Exceptions that nothing catches: of the program, of its threads, of its asyncio tasks."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from whodid.client.logger import Logger

# The program is about to end; its last words must not wait for the exit.
_FLUSH_S: Final = 2.0


def install(logger: Logger) -> Callable[[], None]:
    """Log what nothing catches, then let whatever handled it before go on. Returns what undoes it."""
    before_program, before_thread = sys.excepthook, threading.excepthook

    def program(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, Exception):
            _log(logger, error.with_traceback(trace), "program")
            logger.flush(_FLUSH_S)
        before_program(kind, error, trace)

    def thread(arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None and issubclass(arguments.exc_type, Exception):
            name = arguments.thread.name if arguments.thread else None
            _log(logger, arguments.exc_value.with_traceback(arguments.exc_traceback), "thread", thread=name)
        before_thread(arguments)

    tasks = _Tasks(logger)
    sys.excepthook, threading.excepthook = program, thread
    logging.getLogger("asyncio").addFilter(tasks)

    def uninstall() -> None:
        if sys.excepthook is program:
            sys.excepthook = before_program
        if threading.excepthook is thread:
            threading.excepthook = before_thread
        logging.getLogger("asyncio").removeFilter(tasks)

    return uninstall


class _Tasks(logging.Filter):
    """Every event loop tells its program's log of errors that no task catches, with the exception.

    A filter lets everything pass; a handler would keep `logging` from writing it to the terminal.
    """

    def __init__(self, logger: Logger):
        super().__init__()
        self._logger = logger

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, Exception) and record.levelno >= logging.ERROR:
            _log(self._logger, error, "task", told=record.getMessage().partition("\n")[0])
        return True


def _log(logger: Logger, error: BaseException, where: str, **params: str | None) -> None:
    logger.error(error, {"uncaught": where, **{name: value for name, value in params.items() if value}})
