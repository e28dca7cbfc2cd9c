"""Exceptions as events tell them."""

from __future__ import annotations

import traceback


def message_of(error: BaseException) -> str:
    """The text of an exception, its type when it has none."""
    try:
        return str(error) or type(error).__name__
    except Exception:
        return type(error).__name__


def type_of(error: BaseException) -> str:
    """The name of an exception's class, with its module unless it is a built-in."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def trace_of(error: BaseException) -> str:
    """The stack trace of an exception with those of its causes, as Python prints them."""
    try:
        return "".join(traceback.TracebackException.from_exception(error, compact=True).format())
    except Exception:
        return type_of(error)
