"""Reading: filters, pages, activity and usage of what is stored, and how answers are written out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from whodid.reading.answer import Answer as Answer
    from whodid.reading.filters import EventFilter as EventFilter
    from whodid.reading.reader import Reader as Reader
    from whodid.reading.reader import open as open

_PUBLIC = {
    "Answer": "whodid.reading.answer",
    "EventFilter": "whodid.reading.filters",
    "Reader": "whodid.reading.reader",
    "open": "whodid.reading.reader",
}

__all__ = ["Answer", "EventFilter", "Reader", "open"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'whodid.reading' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)
