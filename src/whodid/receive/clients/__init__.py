"""Clients that people already have: each is one file with rows of `Route`; this is the table of all of them."""

from __future__ import annotations

from typing import Final

from whodid.receive.clients import datagrok, dataiku, otlp, plain, posthog, segment, sentry
from whodid.receive.clients.base import Route
from whodid.receive.clients.door import Doors
from whodid.receive.clients.library import Library

ROUTES: Final[tuple[Route, ...]] = (
    *otlp.ROUTES,
    *segment.ROUTES,
    *sentry.ROUTES,
    *plain.ROUTES,
    *dataiku.ROUTES,
    *posthog.ROUTES,
    *datagrok.ROUTES,
)

__all__ = ["ROUTES", "Doors", "Library", "Route"]
