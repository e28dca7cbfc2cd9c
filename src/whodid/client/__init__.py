"""The Logger and what carries its messages. Needs the standard library and msgspec; loads no server part."""

from __future__ import annotations

from whodid.client.context import context, request, session
from whodid.client.logger import Logger
from whodid.client.message import DROP, Message
from whodid.client.stats import Stats

__all__ = ["DROP", "Logger", "Message", "Stats", "context", "request", "session"]
