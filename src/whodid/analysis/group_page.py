"""All about one group of errors: its row, why it is one, samples side by side, versions, decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any, Final

import msgspec

from whodid.analysis.error_groups import frames_of, group_of
from whodid.analysis.error_report import Found, find, parts_of, versions_of, whole_of
from whodid.analysis.group_settings import PREFIX, Decisions, decisions
from whodid.errors import WhodidError

SAMPLES: Final = 6
HASHES_MAX: Final = 500
_STATE: Final = ("state", "until", "version")


def detail(found: Found, row: dict[str, Any], table: Any, directory: Any) -> dict[str, Any]:
    """A group as JSON: the report's row, and `parts`, `samples`, `versions`, `decision`, `merged`, `whole`, `splits`,
    `history`; `table` are the rows of all groups.

    A sample is the latest error of a stack trace or message within the group, with its frames, innermost first;
    `different` are the places of the frames that not all samples have. `splits` are the rules that split the group
    `whole`, which is this one or what this one was split off, each with the groups that it makes.
    """
    known = decisions(directory)
    whole = next((one for one in (found.group.id, whole_of(found.rows[0]).id) if known.of(one).splits), None)
    return {
        **row,
        "parts": list(found.group.parts),
        "versions": versions_of(found),
        "samples": _samples(found),
        "decision": msgspec.to_builtins(found.decision),
        "merged": known.merged_into(found.group.id),
        "whole": whole,
        "splits": [] if whole is None else _splits(table, whole, known),
        "history": _history(directory, known, found.group.id),
    }


def one(table: Any, group: str, directory: Any) -> Found:
    """The group of this id among the rows of report `error-groups`; of one that is split up, its part with the latest
    error. Raises WhodidError("not_found").
    """
    known = decisions(directory)
    target, found = known.target(group), {one.group.id: one for one in find(table, directory)}
    parts = [part for _, parts in parts_of(table, target, known) for part in parts] if target not in found else []
    for one in (target, *parts):
        if one in found:
            return found[one]
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


def _splits(table: Any, whole: str, known: Decisions) -> list[dict[str, Any]]:
    told = ((msgspec.to_builtins(rule), parts) for rule, parts in parts_of(table, whole, known))
    return [{**rule, "what": _split(rule), "groups": parts} for rule, parts in told]


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


def _history(directory: Any, known: Decisions, group: str) -> list[dict[str, Any]]:
    """What was decided about a group and what was merged into it, the latest first; `what` says it in words."""
    if not hasattr(directory, "setting_versions"):
        return []
    found = list(_changes(directory, group))
    for other in known.merged_into(group):
        merged = (each for each in _changes(directory, other) if (each["decision"] or {}).get("into") == group)
        found += [{**each, "what": f"{other} counts as this one"} for each in merged]
    return sorted(found, key=lambda each: each["at"], reverse=True)


def _changes(directory: Any, group: str) -> Iterator[dict[str, Any]]:
    versions = directory.setting_versions(PREFIX + group)
    for version, before in zip_longest(versions, versions[1:]):
        what = _words((before and before.value) or {}, version.value)
        yield {"at": version.changed_at, "by": version.changed_by, "decision": version.value, "what": what}


def _words(before: Mapping[str, Any], after: Mapping[str, Any] | None) -> str:
    """What changed from a decision to the next."""
    if after is None:
        return "taken back"
    told = [] if all(before.get(name) == after.get(name) for name in _STATE) else [_state(after)]
    known, splits = before.get("splits", []), after.get("splits", [])
    told += [_split(one) for one in splits if one not in known]
    if known and not splits:
        told.append("split no more")
    if before.get("into") != after.get("into"):
        told.append(f"counts as {after['into']}" if "into" in after else "counts by itself again")
    return ", ".join(told) or _state(after)


def _split(rule: Mapping[str, Any]) -> str:
    return f"split by what contains “{rule['text']}”" if "text" in rule else f"split by {rule['by']}"


def _state(decision: Mapping[str, Any]) -> str:
    if "until" in decision:
        return f"muted until {decision['until'][:16].replace('T', ' ')} UTC"
    state: str = decision.get("state", "open")
    return f"{state} in version {decision['version']}" if "version" in decision else state
