"""The groups of errors in a time: the step of report `error-groups`, and one group for its page.

The rows come from `reports/sql/error_groups.sql`: one for each hash, shape of message and version, with a sample.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import pyarrow as pa

from whodid.analysis.compute import cut
from whodid.analysis.error_groups import Group, group_of, sub_group
from whodid.analysis.group_settings import Decision, Decisions, Split, decisions
from whodid.analysis.messages import normalised
from whodid.analysis.traces import parse, type_of
from whodid.analysis.versions import highest, lowest, order_of

TREND_PARTS: Final = 12
EXPLAINED_MAX: Final = 5

Row = dict[str, Any]


class Found(NamedTuple):
    """A group with the rows that belong to it, the latest first."""

    group: Group
    rows: list[Row]
    decision: Decision


def groups(rows: pa.Table, asked: dict[str, Any], directory: Any) -> pa.Table:
    """The step of report `error-groups`: the groups with an error in the time, the new ones and the most first.

    With `quiet` among what is asked also those without; their status is none.
    """
    now = asked["until"].replace(tzinfo=UTC) if asked["until"].tzinfo is None else asked["until"]
    told = [_told(found, asked, now) for found in find(rows, directory) if _wanted(found, asked)]
    state = asked.get("state", "all")
    told = [row for row in told if state in ("all", row["state"])]
    told.sort(key=lambda row: (-row["errors"], -row["last"].timestamp(), row["group"]))
    return cut(told, asked["limit"])


def find(rows: pa.Table, directory: Any) -> list[Found]:
    """All groups that the rows hold, after merges and splits."""
    known = decisions(directory)
    members: dict[str, list[Row]] = defaultdict(list)
    named: dict[str, Group] = {}
    for row in rows.to_pylist():
        group = _group(row, known)
        target = known.target(group.id)
        members[target].append(row)
        # Of what was merged, the group it was merged into has the say.
        if target not in named or group.id == target:
            named[target] = group
    return [
        Found(
            _merged(named[target], target, known),
            sorted(found, key=lambda row: row["last"], reverse=True),
            known.of(target),
        )
        for target, found in members.items()
    ]


def parts_of(rows: pa.Table, group: str, known: Decisions) -> list[tuple[Split, list[str]]]:
    """The rules that split a group, each with the groups that it makes of the rows, those of the latest first."""
    found: dict[Split, dict[str, None]] = {rule: {} for rule in known.of(group).splits}
    for row in rows.to_pylist() if found else ():
        if whole_of(row).id == group and (part := _part(row, known)) is not None:
            found[part[0]][known.target(part[1].id)] = None
    return [(rule, list(parts)) for rule, parts in found.items()]


def whole_of(row: Row) -> Group:
    """The group of an error before it is split or merged."""
    return group_of(row["error_stack_trace"], row["message"], row["type"])


def _group(row: Row, known: Decisions) -> Group:
    part = _part(row, known)
    return whole_of(row) if part is None else part[1]


def _part(row: Row, known: Decisions) -> tuple[Split, Group] | None:
    """The rule that splits off an error, and the group that it makes of it."""
    group = whole_of(row)
    for rule in known.of(group.id).splits:
        value = _split_value(rule, row)
        if value is not None:
            return rule, sub_group(group, f"{rule.by} {value}", _split_why(rule, value))
    return None


def _split_value(rule: Split, row: Row) -> str | None:
    message = row["message"] or ""
    if rule.by == "contains":
        text = (rule.text or "").casefold()
        return text if text in f"{message}\n{row['error_stack_trace'] or ''}".casefold() else None
    if rule.by == "hash":
        return str(row["error_hash"])
    if rule.by == "type":
        return parse(row["error_stack_trace"]).type or type_of(message) or ""
    return normalised(message)


def _split_why(rule: Split, value: str) -> str:
    if rule.by == "contains":
        return f"those that contain “{value}”."
    return f"by {rule.by}, here {value or 'none'}."


def _merged(group: Group, target: str, known: Decisions) -> Group:
    merged = known.merged_into(target)
    if not merged:
        return group
    others = ", ".join(merged[:EXPLAINED_MAX]) + (" and more" if len(merged) > EXPLAINED_MAX else "")
    return group._replace(id=target, why=f"{group.why} Merged into it by hand: {others}.")


def _wanted(found: Found, asked: dict[str, Any]) -> bool:
    only = asked.get("group", "")
    has_any = asked.get("quiet", False) or any(row["errors"] for row in found.rows)
    return has_any and only in ("", found.group.id)


def _told(found: Found, asked: dict[str, Any], now: datetime) -> Row:
    rows = found.rows
    errors, previous, earlier = (sum(row[name] for row in rows) for name in ("errors", "previous", "earlier"))
    hashes = sorted({str(row["error_hash"]) for row in rows if row["error_hash"] is not None})
    versions = {row["version"] for row in rows if row["version"]}
    people = {person for row in rows for person in row["people"] or ()}
    latest = next((row for row in rows if row["errors"]), rows[0])
    state = state_of(found, now)
    return {
        "group": found.group.id,
        "title": found.group.title,
        "status": _status(previous, earlier, state) if errors else "none",
        "state": state,
        "errors": errors,
        "previous": previous,
        "people": len(people),
        "first": min(row["first"] for row in rows),
        "last": latest["last"],
        "first_version": lowest(versions),
        "version": highest(versions),
        "hashes": len(hashes),
        "trend": json.dumps([sum(row[f"part_{part}"] for row in rows) for part in range(TREND_PARTS)]),
        "rule": found.group.rule,
        "why": found.group.why,
        "message": latest["message"],
        "source": ", ".join(sorted({row["source"] for row in rows})),
        "sample": latest["sample"],
        "error_hashes": json.dumps(hashes),
    }


def _status(previous: int, earlier: int, state: str) -> str:
    if state == "back":
        return "came back"
    if previous:
        return "known"
    return "came back" if earlier else "new"


def state_of(found: Found, now: datetime) -> str:
    """open, muted, resolved or back, at this moment."""
    decision = found.decision
    if decision.state == "muted" and decision.until is not None and decision.until <= now:
        return "open"
    if decision.state == "resolved" and _is_back(decision, found.rows):
        return "back"
    return decision.state


def _is_back(decision: Decision, rows: Iterable[Row]) -> bool:
    """Whether it was seen after it was resolved; where a version resolved it, in that one or a later one."""
    resolved_at = (decision.at or datetime.min.replace(tzinfo=UTC)).astimezone(UTC).replace(tzinfo=None)
    for row in rows:
        if row["last"].replace(tzinfo=None) <= resolved_at:
            continue
        if decision.version is None:
            return True
        if row["version"] and order_of(row["version"]) >= order_of(decision.version):
            return True
    return False


def versions_of(found: Found) -> dict[str, int]:
    """How many errors of a group in the time were told with which version."""
    counted = Counter[str]()
    for row in found.rows:
        counted[row["version"] or "unknown"] += row["errors"]
    return {version: count for version, count in counted.most_common() if count}
