"""whodid: an open audit trail and usage analysis for data platforms.

Public names load on first use, so that importing the package loads no server and no database.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from whodid.client.decorator import audited as audited
    from whodid.client.logger import Logger as Logger
    from whodid.event import Entity as Entity
    from whodid.event import Event as Event
    from whodid.reading import open as open

__version__ = "0.1.0"

_PUBLIC = {
    "Entity": "whodid.event",
    "Event": "whodid.event",
    "Logger": "whodid.client.logger",
    "audited": "whodid.client.decorator",
    "open": "whodid.reading",
}

__all__ = ["Entity", "Event", "Logger", "__version__", "audited", "open"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'whodid' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)
