"""All about one group of errors: its row, why it is one, samples side by side, versions, decisions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from whodid.analysis.error_groups import frames_of, group_of
from whodid.analysis.error_report import Found, find, versions_of
from whodid.analysis.group_settings import PREFIX, decisions
from whodid.errors import WhodidError

SAMPLES: Final = 6
HASHES_MAX: Final = 500


def detail(found: Found, row: dict[str, Any], directory: Any) -> dict[str, Any]:
    """A group as JSON: the report's row, and `parts`, `samples`, `versions`, `decision`, `merged`, `history`.

    A sample is the latest error of a stack trace or message within the group, with its frames, innermost first;
    `different` are the places of the frames that not all samples have.
    """
    known = decisions(directory)
    return {
        **row,
        "parts": list(found.group.parts),
        "versions": versions_of(found),
        "samples": _samples(found),
        "decision": msgspec.to_builtins(found.decision),
        "merged": known.merged_into(found.group.id),
        "history": _history(directory, found.group.id),
    }


def one(table: Any, group: str, directory: Any) -> Found:
    """The group of this id among the rows of report `error-groups`. Raises WhodidError("not_found")."""
    target = decisions(directory).target(group)
    for found in find(table, directory):
        if found.group.id == target:
            return found
    raise WhodidError(
        "not_found", f"There is no error of group {group[:100]!r}.", "Groups are listed by: whodid report error-groups"
    )


def hashes_and_shapes(found: Found) -> tuple[list[str], list[str]]:
    """How report `errors-before` is asked for the errors of a group."""
    with_trace = [row for row in found.rows if row["error_stack_trace"]]
    without = [row for row in found.rows if not row["error_stack_trace"]]
    hashes = sorted({str(row["error_hash"]) for row in with_trace if row["error_hash"] is not None})
    return hashes[:HASHES_MAX], sorted({row["shape"] for row in without})[:HASHES_MAX]


def _samples(found: Found) -> list[dict[str, Any]]:
    chosen: dict[tuple[Any, str], dict[str, Any]] = {}
    for row in found.rows:
        if row["errors"]:
            chosen.setdefault((row["error_hash"], row["shape"]), row)
    samples = [_sample(row) for row in list(chosen.values())[:SAMPLES]]
    lines = [{(frame["member"], frame["file"]) for frame in sample["frames"]} for sample in samples]
    common = set.intersection(*lines) if lines else set()
    for sample in samples:
        sample["different"] = [
            place for place, frame in enumerate(sample["frames"]) if (frame["member"], frame["file"]) not in common
        ]
    return samples


def _sample(row: dict[str, Any]) -> dict[str, Any]:
    group = group_of(row["error_stack_trace"], row["message"], row["type"])
    return {
        "event": row["sample"],
        "time": row["last"].replace(tzinfo=UTC) if isinstance(row["last"], datetime) else row["last"],
        "type": row["type"],
        "version": row["version"],
        "message": row["message"],
        "stack_trace": row["error_stack_trace"],
        "error_hash": None if row["error_hash"] is None else str(row["error_hash"]),
        "errors": row["errors"],
        "group": group.id,
        "frames": [frame._asdict() for frame in frames_of(row["error_stack_trace"])],
    }


def _history(directory: Any, group: str) -> list[dict[str, Any]]:
    """What was decided, the latest first."""
    if not hasattr(directory, "setting_versions"):
        return []
    return [
        {"at": version.changed_at, "by": version.changed_by, "decision": version.value}
        for version in directory.setting_versions(PREFIX + group)
    ]
