"""A short story of a platform that several tests read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from whodid.event import Rejection

END = datetime(2026, 11, 20, 11, tzinfo=UTC)
RECEIVED_AT = END - timedelta(hours=1)
REJECTED = [
    Rejection(index=0, code="bad_json", message="no JSON", line=7, source="audit.log", raw="{"),
    Rejection(index=1, code="bad_json", message="no JSON", line=9, source="audit.log", raw="{{"),
    Rejection(index=2, code="bad_time", message="no time", line=11, source="audit.log", raw="{}"),
]
