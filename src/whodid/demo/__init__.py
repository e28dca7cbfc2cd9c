"""The story of a data platform, from a seed: people at work for some months, and what is hidden among it (`story`)."""

from __future__ import annotations

from whodid.demo.telling import EVENTS_DEFAULT, generate, groups

__all__ = ["EVENTS_DEFAULT", "generate", "groups"]
