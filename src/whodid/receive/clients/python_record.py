"""The record of Python's `logging` as its `HTTPHandler` sends it: every attribute as the text of its value."""

from __future__ import annotations

import ast
import re
from typing import Any, Final

# What has this text was None.
_OPTIONAL: Final = ("exc_info", "exc_text", "stack_info", "taskName")
_NOTHING: Final = "None"

# What a stranger may have formatted: bounded widths, a bounded number of places, arguments of a bounded size.
_PLACE: Final = re.compile(r"%(?:\(\w+\))?[-+ #0]{0,5}\d{0,3}(?:\.\d{1,3})?[sdrifgGeExXoucaF%]")
_PLACES_MAX: Final = 200
_ARGUMENTS_CHARS_MAX: Final = 2_000
_NESTING: Final = re.compile(r"[\[({~+-]")
_NESTING_MAX: Final = 100

_EXCEPTION: Final = re.compile(r"\(<class '[^']*'>, (.*), <traceback object at 0x[0-9a-fA-F]+>\)", re.DOTALL)


def readable(record: dict[str, str]) -> dict[str, str]:
    """A record's fields with the message put together (`message`) and the exception told (`error_message`).

    The template and its arguments stay, unless there are no arguments. Other forms come back as they are.
    """
    if "levelno" not in record or "msg" not in record:
        return record
    told = {name: text for name, text in record.items() if name not in _OPTIONAL or text != _NOTHING}
    if told.get("args") == "()":
        del told["args"]
        told["message"] = told.pop("msg")
    elif "message" not in told:
        told["message"] = formatted(told["msg"], told.get("args", ""))
    found = _EXCEPTION.fullmatch(told.get("exc_info", ""))
    if found is not None:
        told["error_message"] = found.group(1)
    return told


def formatted(template: str, arguments: str) -> str:
    """The message of a template and the text of its arguments; the template alone where that cannot be done safely."""
    places = _PLACE.findall(template)
    if len(places) > _PLACES_MAX or "%" in _PLACE.sub("", template):
        return template
    if len(arguments) > _ARGUMENTS_CHARS_MAX or len(_NESTING.findall(arguments)) > _NESTING_MAX:
        return template
    try:
        values: Any = ast.literal_eval(arguments)
        return str(template % values)
    except (ValueError, TypeError, KeyError, SyntaxError, OverflowError, MemoryError, RecursionError):
        return template
