"""What is not in the audit: the step of report `audit-losses`, which adds what policies filtered."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from whodid.analysis.compute import cut


def losses(rows: pa.Table, asked: dict[str, Any], directory: Any) -> pa.Table:
    """The rows, and one for each rule that filtered events; the most first."""
    found = [*rows.to_pylist(), *_filtered(directory)]
    found.sort(key=lambda row: (-row["events"], row["what"], row["name"] or ""))
    return cut(found, asked["limit"])


def _filtered(directory: Any) -> list[dict[str, Any]]:
    """What each rule of the policies filtered since it was made; rules that are gone are named by their ids."""
    from whodid.directory import Directory
    from whodid.policy.captures import CaptureBook
    from whodid.policy.counts import CountBook
    from whodid.policy.rules import RuleBook

    if not isinstance(directory, Directory):
        return []
    names = {rule.id: rule.name for rule in RuleBook(directory).read().items}
    captures = {capture.id for capture in CaptureBook(directory).all()}
    return [
        {
            "what": "filtered",
            "name": names.get(identifier, identifier),
            "reason": "a rule of the policies" if identifier in names else "a rule of the policies that is gone",
            "events": count.events,
            "first": _naive(count.first_at),
            "last": _naive(count.last_at),
        }
        for identifier, count in CountBook(directory).all().items()
        if count.events and identifier not in captures
    ]


def _naive(at: Any) -> Any:
    return None if at is None else at.replace(tzinfo=None)
