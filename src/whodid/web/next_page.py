"""Where a browser goes on after it signed in: only to pages of this server."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlsplit

HOME: Final = "/"
LENGTH_MAX: Final = 2_000
_ELSEWHERE: Final = ("/sign-in", "/sign-out", "/v1/", "/password")


def next_page(wanted: str) -> str:
    """The path to go on to; the home page for whatever is none of ours, or is no page to come back to."""
    if not wanted.startswith("/") or wanted[1:2] in ("/", "\\") or len(wanted) > LENGTH_MAX:
        return HOME
    if not wanted.isprintable() or "\\" in wanted or wanted.startswith(_ELSEWHERE):
        return HOME
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return HOME
    if parts.scheme or parts.netloc:
        return HOME
    return quote(wanted, safe="/?&=%:;,+@!$'()*~.-_#")
