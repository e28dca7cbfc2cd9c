"""The Logger and what carries its messages. Needs the standard library and msgspec; loads no server part."""

from __future__ import annotations

from whodid.client.decorator import audited
from whodid.client.default import use
from whodid.client.logger import Logger
from whodid.client.message import DROP, Message
from whodid.client.scope import context, request, session
from whodid.client.stats import Stats

__all__ = ["DROP", "Logger", "Message", "Stats", "audited", "context", "request", "session", "use"]
