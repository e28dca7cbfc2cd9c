"""What requests that read are answered from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from whodid.directory import Directory
from whodid.event import Event
from whodid.stores.base import Store


@dataclass(kw_only=True)
class Library:
    """Store and directory; `record` makes an event of whodid's own durable (reading the audit is audited)."""

    directory: Directory
    store: Store | None = None
    record: Callable[[Event], None] | None = None
