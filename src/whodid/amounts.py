"""Numbers of things, and sizes, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def counted(number: int, what: str, several: str = "") -> str:
    """`1 event`, `2,000 events`; `what` is one of them, `several` are more than one where that takes more than an s."""
    return f"{number:,} {what if number == 1 else several or f'{what}s'}"


def rows_counted(told: Mapping[str, Any]) -> str:
    """The rows of a report that was delivered: `5 rows`, or `5 of 113 rows (cut at its limit)`.

    told  its `rows`, whether it is `truncated`, and the `total` that there are, where that is known.
    """
    cut, total = bool(told.get("truncated")), told.get("total")
    if cut and total is not None:
        return f"{told['rows']:,} of {counted(total, 'row')} (cut at its limit)"
    return counted(told["rows"], "row") + (" (cut at its limit)" if cut else "")


def sized(size_bytes: float) -> str:
    """A size in the largest unit that suits it: `512 bytes`, `1.5 MB`."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:,.0f} {unit}" if unit == "bytes" else f"{size_bytes:,.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:,.1f} TB"
